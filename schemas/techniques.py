"""Ids of techniques: their form in each framework, their existence in its version, and the successors of former ids.

Source: the files of `schemas/terms`, each of which names its own.
"""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType

from schemas.vocabularies import Former, vocabulary

_FORMS = MappingProxyType(
    {
        "attack-enterprise": re.compile(r"T1[0-9]{3}(?:\.[0-9]{3})?|TA00[0-9]{2}"),
        "attack-mobile": re.compile(r"T1[0-9]{3}(?:\.[0-9]{3})?|TA00[0-9]{2}"),
        "attack-ics": re.compile(r"T(?:0[89]|1[0-9])[0-9]{2}(?:\.[0-9]{3})?|TA01[0-9]{2}"),
        "disarm": re.compile(r"T0[0-9]{3}(?:\.[0-9]{3})?|TA[0-9]{2}"),
        "amitt": re.compile(r"T0[0-9]{3}(?:\.[0-9]{3})?|TA[0-9]{2}"),
        "atlas": re.compile(r"AML\.TA?[0-9]{4}(?:\.[0-9]{3})?"),
    }
)


@cache
def _ids(framework: str) -> tuple[frozenset[str], dict[str, Former]]:
    found = vocabulary(framework)
    return frozenset(each.id for each in found.terms), {each.id: each for each in found.former}


def _is_newer(said: str | None, ours: str) -> bool:
    """Whether a named version is above ours, compared number by number."""
    if said is None or not re.fullmatch(r"v?[0-9]{1,4}(?:\.[0-9]{1,4}){0,3}", said):
        return False
    return [int(n) for n in said.removeprefix("v").split(".")] > [int(n) for n in re.findall(r"[0-9]+", ours)]


def fault_of(framework: str, technique: str, version: str | None = None) -> str | None:
    """A sentence on the fault of a technique id; None if the id can exist.

    Args:
        framework: a word of `ttp-framework`; ids of a framework without data are not checked.
        technique: the id.
        version: the author's version of the framework; if it is newer than ours, an unknown id is no fault.
    """
    form = _FORMS.get(framework)
    if form is None:
        return None
    live, past = _ids(framework)
    if technique in live:
        return None
    former = past.get(technique)
    if former is not None:
        return _of_past(former)
    if form.fullmatch(technique) is None:
        return f"{technique} is not an id of {framework}"
    kept = vocabulary(framework)
    if _is_newer(version, kept.version):
        return None
    for other in _FORMS:
        if other != "amitt" and technique in _ids(other)[0]:
            return f"{framework} has no technique {technique}; {other} has"
    return f"{framework} has no technique {technique} (version {kept.version})"


def _of_past(former: Former) -> str:
    if former.now:
        return f"{former.id} was {former.why}; it is now {' or '.join(former.now)}"
    return f"{former.id} ({former.label}) was {former.why}, and it has no successor"
