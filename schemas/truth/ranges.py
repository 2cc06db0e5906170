"""Ranges: the possible numbers and lengths of the values of a type."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_AS = re.compile(r"(?:ASN?[ :-]?)?([0-9]{1,40})(?:\.([0-9]{1,20}))?", re.IGNORECASE)
_MAC = re.compile(
    r"(?:[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){2,7}|[0-9A-Fa-f]{4}(?:[.:-][0-9A-Fa-f]{4}){2,3}|[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16})"
)
_TO_PORT = re.compile(r"(?:^|[\s:/])([0-9]{1,20})(?:/(?:tcp|udp|sctp))?$", re.IGNORECASE)
_MOST_AS, _HALF_AS, _MOST_PORT = 2**32 - 1, 2**16 - 1, 2**16 - 1
_LONGEST_NAME, _LONGEST_LABEL, _LONGEST_LOCAL, _LONGEST_NUMBER = 253, 63, 64, 15


def out_of_range(kind: str, value: str) -> str | None:
    """The reason why a value is outside the range of its type, or None: RFC 6793, RFC 5396, RFC 1035, RFC 5321, RFC 6335, ITU-T E.164, IEEE 802."""
    if kind == "autonomous-system":
        found = _AS.fullmatch(value.strip())
        if found is None:
            return None  # by its name
        halves = found[2] is not None
        numbers = [int(each) for each in found.groups() if each is not None]
        if max(numbers) > (_HALF_AS if halves else _MOST_AS) or not any(numbers):
            return "is not a number of an autonomous system (1 to 4294967295); copy it again"
    elif kind == "mac-addr":
        return (
            None
            if _MAC.fullmatch(value.strip())
            else "is not a MAC address; write its octets, like 00:00:5e:00:53:01"
        )
    elif kind == "domain-name":
        if len(value.rstrip(".")) > _LONGEST_NAME or any(
            len(each) > _LONGEST_LABEL for each in value.split(".")
        ):
            return "is longer than a name can be: 63 characters a part, 253 in all; copy it again"
    elif kind == "email-addr":
        if len(value.rpartition("@")[0]) > _LONGEST_LOCAL:
            return "has more than 64 characters before the @; copy it again"
    elif kind == "phone-number":
        digits = re.split(r"(?:ext|x|;)", value, flags=re.IGNORECASE)[0]
        if sum(each.isdigit() for each in digits) > _LONGEST_NUMBER + 2:  # with 00 before the country
            return "has more than fifteen digits; copy it again"
    elif kind == "url":
        try:
            urlsplit(value).port  # noqa: B018 (it is computed, and may fail)
        except ValueError as exc:
            return "names an impossible port; copy it again" if "ort" in str(exc) else None
    elif kind == "network-traffic":
        found = _TO_PORT.search(value)
        if found is not None and int(found[1]) > _MOST_PORT and "." not in value[found.start(1) :]:
            return "names an impossible port; ports end at 65535"
    return None
