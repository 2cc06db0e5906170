"""Reading TOML: settings, drafts, scripts of drills, manifests. `tomllib` with a bound on what costs more than a pass."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MAX_PARTS = 40
# Only at the beginning of a part, and never back into one: the search goes over the text a fixed number of times.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_PARTS}}}")


def loads(raw: bytes) -> dict[str, Any]:
    """The table in a document.

    A key of n parts costs `tomllib` the square of n, and each level of an array one of Python's calls.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        tomllib.TOMLDecodeError: it is no TOML, or has a key of more than `MAX_PARTS` parts, or is nested too deeply.
    """
    text = raw.decode("utf-8")
    if _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"a key of more than {MAX_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deeply") from None
