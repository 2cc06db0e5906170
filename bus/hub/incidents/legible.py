"""Whether a value says something to a person: times, hashes and ids of machines do not. Pure."""

from __future__ import annotations

import re

_MACHINE = re.compile(
    r"""
    20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:[t_\ -]?[0-2]\d:?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?z?)?  # a day, a time of ISO 8601
    |1[5-9]\d{8}(?:\d{3})?                                            # seconds or milliseconds since 1970
    |(?:md5|sha\d*|blake\d\w*|ssdeep|tlsh|pdq)[:-].+                  # a hash that says by what it was made
    |(?=.*\d)(?=.*[a-f])[0-9a-f]{8,}|[0-9a-f]{32,}                    # a hash, or an id in hexadecimal digits
    |[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}                      # a UUID
    |(?=.*\d)[0-9a-hjkmnp-tv-z]{26}                                   # a ULID
    |[a-z]*(?:\d+[a-z]+){4,}\d*                                       # letters and digits by turns
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_legible(value: str) -> bool:
    """Whether a person can make something of a value: a name, an address, a number; not what only machines compare."""
    return _MACHINE.fullmatch(value.strip()) is None
