"""The language of a reader, and the text of a bulletin for that reader: BCP 47 tags, looked up as in RFC 4647."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from schemas.parts import Info

DEFAULT = "en"
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[_-]([A-Za-z]{2}|[0-9]{3}))?(?:\.[^@]*)?(?:@.*)?")


def language_of(environment: Mapping[str, str]) -> str:
    """The language that the environment of a program asks for, as a tag: `de_AT.UTF-8` is `de-AT`; English where it names none.

    The first of LC_ALL, LC_MESSAGES and LANG that is not empty decides, as POSIX has it.
    """
    named = next((value for name in _VARIABLES if (value := environment.get(name))), "")
    found = _LOCALE.fullmatch(named)
    if found is None:
        return DEFAULT
    language, region = found.groups()
    return f"{language.lower()}-{region.upper()}" if region else language.lower()


def looked_up(wanted: Iterable[str], offered: Sequence[str]) -> str | None:
    """The tag among those offered that suits a reader best; None where none does.

    Each range is tried whole and then shortened from its end (RFC 4647, section 3.4); where that finds nothing, a tag that
    begins with the language of the range does too: a reader of `de` gets `de-AT`.
    """
    plain = {tag.lower(): tag for tag in reversed(offered)}
    for range_ in wanted:
        parts = range_.lower().split("-")
        while parts:
            if (found := plain.get("-".join(parts))) is not None:
                return found
            parts.pop()
            if parts and len(parts[-1]) == 1:  # a singleton goes with what follows it
                parts.pop()
        language = range_.lower().partition("-")[0]
        akin = next((tag for tag in offered if tag.lower().partition("-")[0] == language), None)
        if akin is not None:
            return akin
    return None


def chosen_info(infos: Sequence[Info], lang: str) -> Info:
    """The words of a bulletin for a reader of a language: in it, else in English, else the first."""
    found = looked_up((lang, DEFAULT), [info.lang for info in infos])
    return next((info for info in infos if info.lang == found), infos[0])
