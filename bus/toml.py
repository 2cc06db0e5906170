"""Reading TOML: settings, drafts, scripts of drills, manifests. `tomllib` with bounds on input that costs more than one pass."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MAX_PARTS = 40
# Matches only at the beginning of a part, without backtracking: the search passes over the text a fixed number of times.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_PARTS}}}")


def loads(raw: bytes) -> dict[str, Any]:
    """The table in a TOML document.

    In `tomllib` a key of n parts takes time of the order of n squared, and each level of an array one Python call.

    Raises:
        UnicodeDecodeError: the document is not UTF-8.
        tomllib.TOMLDecodeError: the document is not TOML, has a key of more than `MAX_PARTS` parts, is nested too deeply,
            or has a number of too many digits.
    """
    text = raw.decode("utf-8")
    if _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"a key of more than {MAX_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python reads no number of thousands of digits
        raise tomllib.TOMLDecodeError("a number of too many digits") from None
