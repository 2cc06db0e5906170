"""How an entry that was typed is completed: what a person need not write, as it follows from what was written. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bus.console.pages.draft_cells import Faults
from bus.console.pages.draft_types import ordered
from schemas.codec import encode_time
from schemas.observables import classify, personal_flag, refanged
from schemas.parts import Authority, Deadline
from schemas.registry import Registry
from schemas.vocab import PERSONAL_RANK, PersonalFlag

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(rf"(?:https?://[^/\s]*)?/[bi]/({_UUID.pattern})(?:[?#]\S*)?")


def observable(entry: dict[str, Any], row: str, faults: Faults) -> None:
    """Undo what kept a value from being opened; see its type and whom it may name where nobody has chosen them."""
    value, type_ = entry.get("value"), entry.get("type")
    if value is None:
        return
    if type_ is None:
        seen = classify(value)
        if seen is None:
            faults.append((f"{row}.type", "nothing shows what this value is; choose its type"))
            return
        entry |= {"type": seen.type, "value": seen.value}
        if seen.platform is not None:
            entry.setdefault("platform", seen.platform)
    else:
        entry["value"] = refanged(type_, value)
    entry.setdefault("personal", str(personal_flag(entry["type"], entry["value"])))


def reference(entry: dict[str, Any], row: str, faults: Faults) -> None:
    """Take the id out of the address of a page."""
    del row, faults
    if found := _ADDRESS.fullmatch(entry.get("id", "")):
        entry["id"] = found[1]


def strictest(observables: object) -> str:
    """The flag of personal data that a draft with these observables, or with anything there, has to declare; empty for none."""
    held = observables if isinstance(observables, list) else []
    said = [each.get("personal") for each in held if isinstance(each, dict)]
    flags = [PersonalFlag(each) for each in said if each in tuple(PersonalFlag)]
    worst = max(flags, key=PERSONAL_RANK.__getitem__, default=PersonalFlag.NONE)
    return "" if worst is PersonalFlag.NONE else str(worst)


def by_registry(lists: dict[str, Any], registry: Registry) -> None:
    """Say when a clock of the registry ends, and what a co-issuer is by the registry, where nobody has written that.

    Args:
        lists: those of a draft, by their names on the wire, of any JSON.
        registry: the registry.
    """
    _each(lists, "deadlines", Deadline, lambda entry: _end_of(entry, registry))
    _each(lists, "co_issuers", Authority, lambda entry: _record_of(entry, registry))


def _end_of(entry: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    clock = registry.clocks.get(_text(entry, "clock"))
    if clock is None:
        return {}
    try:
        due = dt.datetime.fromisoformat(_text(entry, "started")) + dt.timedelta(seconds=clock.due_s)
        return {"due": encode_time(due)} if due.tzinfo is not None else {}
    except (ValueError, OverflowError):
        return {}  # the rules say what is wrong with the time


def _record_of(entry: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    record = registry.authorities.get(_text(entry, "id"))
    if record is None:
        return {}
    return {"kind": record.kind, "domain": str(record.domain), "country": record.country}


def _each(
    lists: dict[str, Any],
    name: str,
    type_: type[msgspec.Struct],
    known: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> None:
    """Complete the entries of a list; what they say themselves goes before what is known."""
    held = lists.get(name)
    if isinstance(held, list):
        lists[name] = [
            ordered(type_, known(each) | each) if isinstance(each, dict) else each for each in held
        ]


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
