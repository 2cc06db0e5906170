"""Opens a STIX 2.1 document and sorts its objects into reports: what belongs to each, under which marks.

Read: a bundle, a TAXII 2.1 envelope, a list of objects, a single object. Refused: STIX 2.0, JSON Schemas and other JSON, and
catalogues (frameworks of techniques, malware encyclopaedias) that report nothing that has happened.

Source: STIX Version 2.1 sections 2.11 (versions), 3.6 (versioning), 7.2 (markings) and 8 (bundle); TAXII Version 2.1 section 3.7.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from adapters.formats.stix.names import OBJECT_TYPES, OBSERVABLE_TYPES
from adapters.formats.stix.objects import Member, listed, marks_of, references, text_of
from adapters.translation.markings import Mark, Marking, read_mark, strictest
from adapters.translation.reading import FormatError, Losses, told

__all__ = ["Scope", "scopes"]

MAX_OBJECTS: Final = 100_000
MAX_REPORTS: Final = 200

REPORT_TYPES: Final = ("report", "grouping")
# Objects that say that something happened or was seen, beside observables; without any of them a bundle is a catalogue.
_NEWS: Final = OBSERVABLE_TYPES | frozenset(
    {
        "attack-flow", "campaign", "event", "grouping", "incident", "indicator", "infrastructure", "malware-analysis", "narrative",
        "observed-data", "report", "sighting", "vulnerability",
    }
)  # fmt: skip
_ABOUT_OBJECTS: Final = frozenset({"extension-definition", "language-content", "marking-definition"})


class Scope:
    """One report and the objects that belong to it; without a report object, everything there is.

    Attributes:
        report: The ``report`` or ``grouping``, or None.
        objects: The objects, the report included, in the order of the document.
    """

    def __init__(self, report: Member | None, objects: Sequence[Member], known: Mapping[str, Member]) -> None:
        self.report = report
        self.objects = tuple(objects)
        self._known = known
        self._kinds: dict[str, list[Member]] = {}
        for item in objects:
            self._kinds.setdefault(text_of(item, "type"), []).append(item)

    def of(self, *kinds: str) -> tuple[Member, ...]:
        """The objects of the given types, type by type."""
        return tuple(item for kind in kinds for item in self._kinds.get(kind, ()))

    def get(self, identifier: str) -> Member | None:
        """The object of that id anywhere in the document."""
        return self._known.get(identifier)

    def counts(self) -> Counter[str]:
        """How many objects of each type."""
        return Counter({kind: len(items) for kind, items in self._kinds.items()})

    def marking(self, losses: Losses) -> Marking:
        """The strictest of all marks in scope: of objects, of single properties, and in labels.

        Raises:
            FormatError: ``unknown-marking`` when a mark cannot be read with certainty; ``classified``.
        """
        marks: dict[tuple[str, str], tuple[Mark, ...]] = {}
        for item in self.objects:
            kind = _kind(item)
            pairs = [("object_marking_refs", each) for each in references(item, "object_marking_refs")]
            pairs += [
                ("granular_markings", text_of(each, "marking_ref"))
                for each in listed(item, "granular_markings")
                if each.get("marking_ref")
            ]
            for name, reference in pairs:
                if (name, reference) not in marks:
                    marks[name, reference] = self._read(reference, f"{kind}.{name}")
            for label in references(item, "labels"):
                if ("label", label) not in marks:
                    mark = read_mark(label, f"{kind}.labels")
                    marks["label", label] = (mark,) if mark else ()
        return strictest((mark for found in marks.values() for mark in found), losses)

    def _read(self, reference: str, path: str) -> tuple[Mark, ...]:
        marks = marks_of(reference, self._known.get(reference), path)
        if marks is None:
            raise FormatError(
                f"{path}: nobody can tell what a marking allows that is not there", reason="unknown-marking"
            )
        return marks


def scopes(document: object, losses: Losses) -> tuple[Scope, ...]:
    """Sorts a document into reports.

    Args:
        document: Strictly read JSON.
        losses: Where objects that belong to no report are recorded.

    Returns:
        One scope for each report or grouping; a single report takes the whole document; without any, one scope of everything.

    Raises:
        FormatError: ``not-stix``, ``unsupported-version``, ``empty``, ``too-many-objects``, ``too-many-reports``,
            ``catalogue-not-a-report``.
    """
    objects = _current(_versioned(_objects(document, losses), losses), losses)
    kinds = {text_of(item, "type") for item in objects}
    if not kinds - _ABOUT_OBJECTS:
        raise FormatError("no object that says anything", reason="empty")
    if not kinds & _NEWS:
        raise FormatError(
            f"a catalogue of {', '.join(sorted({told(kind, OBJECT_TYPES) for kind in kinds}))}: nothing that has happened",
            reason="catalogue-not-a-report",
        )
    known = {text_of(item, "id"): item for item in objects if text_of(item, "id")}
    reports = [item for item in objects if text_of(item, "type") in REPORT_TYPES]
    if len(reports) > MAX_REPORTS:
        raise FormatError(
            f"{len(reports)} reports; a document may hold {MAX_REPORTS}", reason="too-many-reports"
        )
    if len(reports) < 2:
        return (Scope(reports[0] if reports else None, objects, known),)
    found: list[Scope] = []
    used: set[str] = set()
    for report in reports:
        members = _members(report, known)
        used |= members
        found.append(Scope(report, [item for item in objects if text_of(item, "id") in members], known))
    left = Counter(_kind(item) for item in objects if text_of(item, "id") not in used)
    for kind, count in (left - Counter(dict.fromkeys(_ABOUT_OBJECTS, MAX_OBJECTS))).items():
        losses.add(f"objects[{kind}]", f"{count} in none of the reports")
    return tuple(found)


def _members(report: Member, known: Mapping[str, Member]) -> set[str]:
    """The ids that a report refers to, itself, and what its observations and indicators lead to."""
    members = {text_of(report, "id")}
    waiting = list(references(report, "object_refs"))
    while waiting:
        identifier = waiting.pop()
        item = known.get(identifier)
        if item is None or identifier in members:
            continue
        members.add(identifier)
        if text_of(item, "type") == "observed-data":
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
            raise FormatError("JSON, but no STIX", reason="not-stix")
    if len(found) > MAX_OBJECTS:
        raise FormatError(
            f"{len(found)} objects; a document may hold {MAX_OBJECTS}", reason="too-many-objects"
        )
    items = [
        item for item in found if isinstance(item, Mapping) and text_of(item, "type") and text_of(item, "id")
    ]
    if found and not items:
        raise FormatError("a list of something else than STIX objects", reason="not-stix")
    if len(items) < len(found):
        losses.add("objects", f"{len(found) - len(items)} entries without type and id")
    return items


def _versioned(objects: list[Member], losses: Losses) -> list[Member]:
    """The objects of version 2.1. One without `spec_version` is STIX 2.0, but for observables, whose default is 2.1."""
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
            losses.add(f"objects[{_kind(item)}]", "an older version of the same object")
        if held is None or text_of(item, "modified") >= text_of(held, "modified"):
            newest[identifier] = item
    standing: list[Member] = []
    for item in newest.values():
        if item.get("revoked") is True:
            losses.add(f"objects[{_kind(item)}]", "revoked by its author")
        else:
            standing.append(item)
    return standing


def _kind(item: Member) -> str:
    """The type of an object, as a loss may tell it."""
    return told(text_of(item, "type"), OBJECT_TYPES)
