"""Opens a STIX 2.1 document and sorts its objects into reports, with their markings.

Read: a bundle, a TAXII 2.1 envelope, a list of objects, a single object. Refused: STIX 2.0, JSON Schemas and other JSON, and
catalogues (frameworks of techniques, malware encyclopaedias), which report no event.

Source: STIX Version 2.1 sections 2.11 (versions), 3.6 (versioning), 7.2 (markings) and 8 (bundle); TAXII Version 2.1 section 3.7.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from adapters.formats.stix.names import OBJECT_TYPES, OBSERVABLE_TYPES
from adapters.formats.stix.objects import Member, listed, references, text_of
from adapters.formats.stix.scope import ABOUT_OBJECTS, Scope, kind_told
from adapters.translation.drafting import instant
from adapters.translation.reading import FormatError, Losses, told

__all__ = ["scopes"]

MAX_OBJECTS: Final = 100_000
MAX_REPORTS: Final = 200

REPORT_TYPES: Final = ("report", "grouping")
# Objects that report an event or a sighting, besides observables; a bundle without any is a catalogue.
_NEWS: Final = OBSERVABLE_TYPES | frozenset(
    {
        "attack-flow", "campaign", "event", "grouping", "incident", "indicator", "infrastructure", "malware-analysis", "narrative",
        "observed-data", "report", "sighting", "vulnerability",
    }
)  # fmt: skip
_ID: Final = re.compile(r"[a-z0-9-]{1,40}--[0-9a-f-]{36}")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def scopes(document: object, losses: Losses) -> tuple[Scope, ...]:
    """Sorts a document into reports.

    Args:
        document: Strictly read JSON.
        losses: Records objects that belong to no report.

    Returns:
        One scope for each report or grouping. A single report takes the whole document. Without a report, one scope holds everything.

    Raises:
        FormatError: ``not-stix``, ``unsupported-version``, ``empty``, ``too-many-objects``, ``too-many-reports``,
            ``catalogue-not-a-report``, ``revoked`` if everything in it is revoked.
    """
    written = _objects(document, losses)
    definitions = _definitions(written)
    objects = _current(_versioned(written, losses), losses)
    kinds = {text_of(item, "type") for item in objects}
    if not kinds - ABOUT_OBJECTS and (gone := _revoked(written)):
        raise FormatError(
            f"revoked by its author, and nothing else in it: {gone}; cancel the bulletins that were published from it",
            reason="revoked",
        )
    if not kinds - ABOUT_OBJECTS:
        raise FormatError("no object with content", reason="empty")
    if not kinds & _NEWS:
        raise FormatError(
            f"a catalogue of {', '.join(sorted({told(kind, OBJECT_TYPES) for kind in kinds}))}: it reports no event",
            reason="catalogue-not-a-report",
        )
    known = {text_of(item, "id"): item for item in objects if text_of(item, "id")}
    reports = _reports(objects)
    if len(reports) > MAX_REPORTS:
        raise FormatError(
            f"{len(reports)} reports; a document may hold {MAX_REPORTS}", reason="too-many-reports"
        )
    if len(reports) < 2:
        return (Scope(reports[0] if reports else None, objects, known, definitions),)
    found: list[Scope] = []
    used: set[str] = set()
    for report in reports:
        members = _members(report, known)
        used |= members
        inside = [item for item in objects if text_of(item, "id") in members]
        found.append(Scope(report, inside, known, definitions))
    left = Counter(kind_told(item) for item in objects if text_of(item, "id") not in used)
    for kind, count in (left - Counter(dict.fromkeys(ABOUT_OBJECTS, MAX_OBJECTS))).items():
        losses.add(f"objects[{kind}]", f"{count} in none of the reports")
    return tuple(found)


def _reports(objects: Sequence[Member]) -> list[Member]:
    """Reports and groupings; a grouping that a report refers to is a part of that report."""
    reports = [item for item in objects if text_of(item, "type") in REPORT_TYPES]
    within = {
        each
        for item in reports
        if text_of(item, "type") == "report"
        for each in references(item, "object_refs")
    }
    return [
        item for item in reports if text_of(item, "type") == "report" or text_of(item, "id") not in within
    ]


def _definitions(objects: Sequence[Member]) -> dict[str, tuple[Member, ...]]:
    """The marking definitions by id; several for one id if a document contradicts itself, because none may be preferred."""
    found: dict[str, tuple[Member, ...]] = {}
    for item in objects:
        if text_of(item, "type") == "marking-definition":
            held = found.get(text_of(item, "id"), ())
            if item not in held:
                found[text_of(item, "id")] = (*held, item)
    return found


def _members(report: Member, known: Mapping[str, Member]) -> set[str]:
    """The ids of a report, of the objects it refers to, and of those that its observations and indicators refer to."""
    members = {text_of(report, "id")}
    waiting = list(references(report, "object_refs"))
    while waiting:
        identifier = waiting.pop()
        item = known.get(identifier)
        if item is None or identifier in members:
            continue
        members.add(identifier)
        if text_of(item, "type") in ("grouping", "observed-data"):
            waiting += references(item, "object_refs")
    return members


def _objects(document: object, losses: Losses) -> list[Member]:
    found: Sequence[object]
    match document:
        case {"type": "bundle", "spec_version": "2.0"}:
            raise FormatError("a STIX 2.0 bundle", reason="unsupported-version")
        case {"type": "bundle", "objects": list() as objects} | {"objects": list() as objects}:
            found = objects
        case {"type": "bundle"}:
            found = []
        case {"type": str(), "id": str()}:
            found = [document]
        case [_, *_]:
            found = document
        case _:
            raise FormatError("JSON, but not STIX", reason="not-stix")
    if len(found) > MAX_OBJECTS:
        raise FormatError(
            f"{len(found)} objects; a document may hold {MAX_OBJECTS}", reason="too-many-objects"
        )
    items = [
        item for item in found if isinstance(item, Mapping) and text_of(item, "type") and text_of(item, "id")
    ]
    if found and not items:
        raise FormatError("a list of entries that are not STIX objects", reason="not-stix")
    if len(items) < len(found):
        losses.add("objects", f"{len(found) - len(items)} entries without type and id")
    return items


def _versioned(objects: list[Member], losses: Losses) -> list[Member]:
    """The objects of version 2.1. An object without `spec_version` is STIX 2.0, except observables, whose default is 2.1."""
    current: list[Member] = []
    others: Counter[str] = Counter()
    for item in objects:
        version = text_of(item, "spec_version") or (
            "2.1" if text_of(item, "type") in OBSERVABLE_TYPES else "2.0"
        )
        if version == "2.1":
            current.append(item)
        else:
            others[version] += 1
    if others and not any(text_of(item, "spec_version") for item in current):
        raise FormatError("objects of another version of STIX than 2.1", reason="unsupported-version")
    if others:
        losses.add("objects", f"{others.total()} of another version of STIX among those of 2.1")
    return current


def _current(objects: list[Member], losses: Losses) -> list[Member]:
    """The newest version of each object, without the revoked ones."""
    newest: dict[str, Member] = {}
    for item in objects:
        identifier = text_of(item, "id")
        held = newest.get(identifier)
        if held is not None and held != item:
            losses.add(f"objects[{kind_told(item)}]", "an older version of the same object")
        if held is None:
            newest[identifier] = item
        elif (age := _age(item) - _age(held)) == dt.timedelta() and item != held:
            newest[identifier] = _of_both(held, item)
        elif age >= dt.timedelta():
            newest[identifier] = item
    standing: list[Member] = []
    for item in newest.values():
        if item.get("revoked") is True:
            losses.add(f"objects[{kind_told(item)}]", "revoked by its author")
        else:
            standing.append(item)
    return standing


def _revoked(objects: Sequence[Member]) -> str:
    """The first ids of the revoked objects, in a form for a refusal."""
    ids = dict.fromkeys(text_of(item, "id") for item in objects if item.get("revoked") is True)
    return ", ".join([each for each in ids if _ID.fullmatch(each)][:3] or ["(a malformed id)"] * bool(ids))


def _age(item: Member) -> dt.timedelta:
    """The time of a version, since 1970; 0 for an object without versions."""
    moment = instant(item.get("modified")) or instant(item.get("created"))
    return moment - _EPOCH if moment else dt.timedelta()


def _of_both(held: Member, item: Member) -> Member:
    """The later of two objects with the same id and time but different content, with the markings of both; revoked if either is."""
    marks = {
        name: [*dict.fromkeys((*references(held, name), *references(item, name)))]
        for name in ("labels", "object_marking_refs")
        if held.get(name) or item.get(name)
    }
    granular = [*listed(held, "granular_markings"), *listed(item, "granular_markings")]
    revoked = held.get("revoked") is True or item.get("revoked") is True
    return {**item, **marks, **({"granular_markings": granular} if granular else {}), "revoked": revoked}
