"""The language of a reader, and the text of a bulletin for that reader."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bus.languages import DEFAULT, looked_up
from schemas.parts import Info

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


def chosen_info(infos: Sequence[Info], lang: str) -> Info:
    """The words of a bulletin for a reader of a language: in it, else in English, else the first."""
    found = looked_up((lang, DEFAULT), [info.lang for info in infos])
    return next((info for info in infos if info.lang == found), infos[0])
