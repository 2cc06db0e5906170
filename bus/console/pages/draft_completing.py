"""How an entry that was typed is completed: what a person need not write, as it follows from what was written. Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from bus.console.pages.draft_cells import Faults
from schemas.codec import encode_time
from schemas.observables import classify, personal_flag, refanged
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
    for entry in _entries(lists, "deadlines"):
        clock = registry.clocks.get(_text(entry, "clock"))
        if clock is not None and "due" not in entry:
            try:
                started = dt.datetime.fromisoformat(_text(entry, "started"))
                due = started + dt.timedelta(seconds=clock.due_s)
            except (ValueError, OverflowError):
                continue  # the rules say what is wrong with the time
            if due.tzinfo is not None:
                entry["due"] = encode_time(due)
    for entry in _entries(lists, "co_issuers"):
        record = registry.authorities.get(_text(entry, "id"))
        if record is not None:
            for name in ("kind", "domain", "country"):
                entry.setdefault(name, str(getattr(record, name)))


def _entries(lists: dict[str, Any], name: str) -> list[dict[str, Any]]:
    held = lists.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""
