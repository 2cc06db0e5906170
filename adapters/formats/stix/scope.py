"""One report of a STIX document: its objects, their relationships, and their combined marking.

Source: STIX Version 2.1 sections 3.7 (relationships) and 7.2 (markings).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from adapters.formats.stix.names import OBJECT_TYPES
from adapters.formats.stix.objects import Member, listed, marks_of, references, text_of
from adapters.translation.markings import Mark, Marking, marks_in_words, read_mark, strictest
from adapters.translation.reading import FormatError, Losses, told

__all__ = ["ABOUT_OBJECTS", "Scope", "Tie", "kind_told"]

ABOUT_OBJECTS: Final = frozenset({"extension-definition", "language-content", "marking-definition"})
"""Types of objects that describe other objects, not events."""
# Used only as targets.
_BESIDE: Final = frozenset({"identity", "location"})


class Tie(NamedTuple):
    """One relationship: its type, the objects at its ends (None for a missing one), and the relationship object."""

    kind: str
    source: Member | None
    target: Member | None
    item: Member


class Scope:
    """One report and its objects; without a report object, all objects.

    Attributes:
        report: The ``report`` or ``grouping``, or None.
        objects: The objects, the report included, in the order of the document.
    """

    def __init__(
        self,
        report: Member | None,
        objects: Sequence[Member],
        known: Mapping[str, Member],
        definitions: Mapping[str, tuple[Member, ...]],
    ) -> None:
        self.report = report
        self._definitions = definitions
        self.objects = tuple(objects)
        self._known = known
        self._kinds: dict[str, list[Member]] = {}
        for item in objects:
            self._kinds.setdefault(text_of(item, "type"), []).append(item)
        self._aimed = {
            text_of(item, "target_ref")
            for item in self.of("relationship")
            if text_of(item, "relationship_type") == "targets"
        }

    def of(self, *kinds: str) -> tuple[Member, ...]:
        """The objects of the given types, type by type."""
        return tuple(item for kind in kinds for item in self._kinds.get(kind, ()))

    def get(self, identifier: str) -> Member | None:
        """The object with that id, anywhere in the document."""
        return self._known.get(identifier)

    def counts(self) -> Counter[str]:
        """Object type -> number of objects."""
        return Counter({kind: len(items) for kind, items in self._kinds.items()})

    def ties(self) -> Iterator[Tie]:
        """The relationships in scope, with their ends."""
        for item in self.of("relationship"):
            source, target = (self.get(text_of(item, end)) for end in ("source_ref", "target_ref"))
            yield Tie(text_of(item, "relationship_type"), source, target, item)

    def marking(self, losses: Losses) -> Marking:
        """The combined marking of objects, single properties and labels in scope.

        The report's markings count for the whole; without a report, those of all objects, if each has one. A marking
        of another object, or of a single property, narrows the whole but does not mark it.

        Raises:
            FormatError: ``unknown-marking`` if a marking cannot be read with certainty; ``classified``.
        """
        found: dict[tuple[str, str], tuple[Mark, ...]] = {}
        whole: dict[Mark, None] = {}
        parts: dict[Mark, None] = {}
        counted = unmarked = 0
        for item in self.objects:
            own, inside = self._marks(item, found, losses)
            if item is self.report:
                whole |= dict.fromkeys(own)
            else:
                parts |= dict.fromkeys(own)
                if self._says_something(item):
                    counted += 1
                    unmarked += not any(mark.tlp for mark in own)
            parts |= dict.fromkeys(inside)
        if self.report is None and counted and not unmarked:
            whole, parts = parts, {}
        return strictest(whole, losses, parts=parts, unmarked=unmarked)

    def _marks(
        self, item: Member, found: dict[tuple[str, str], tuple[Mark, ...]], losses: Losses
    ) -> tuple[list[Mark], list[Mark]]:
        """(markings of one object, markings of its properties); `found` caches the meaning of each reference."""
        kind = kind_told(item)
        own: list[Mark] = []
        inside: list[Mark] = []
        for reference in references(item, "object_marking_refs"):
            key = ("object_marking_refs", reference)
            if key not in found:
                found[key] = self._read(reference, f"{kind}.object_marking_refs", losses)
            own += found[key]
        for each in listed(item, "granular_markings"):
            if reference := text_of(each, "marking_ref"):
                key = ("granular_markings", reference)
                if key not in found:
                    found[key] = self._read(reference, f"{kind}.granular_markings", losses)
                inside += found[key]
        for label in references(item, "labels"):
            if ("label", label) not in found:
                path = f"{kind}.labels"
                mark = read_mark(label, path)
                found["label", label] = (mark,) if mark else marks_in_words(path, label)
            own += found["label", label]
        return own, inside

    def _says_something(self, item: Member) -> bool:
        """Whether part of an object goes into a draft, so that its marking counts."""
        kind = text_of(item, "type")
        if kind in _BESIDE:
            return text_of(item, "id") in self._aimed
        return kind not in ABOUT_OBJECTS and kind != "relationship"

    def _read(self, reference: str, path: str, losses: Losses) -> tuple[Mark, ...]:
        definitions = self._definitions.get(reference) or (None,)
        marks: list[Mark] = []
        for definition in definitions:
            found = marks_of(reference, definition, path, losses)
            if found is None:
                raise FormatError(
                    f"{path}: the marking definition is missing, so its limits are unknown",
                    reason="unknown-marking",
                )
            marks += found
        if len(definitions) > 1:
            losses.add(path, "two marking definitions under one id: the strictest counts")
        return tuple(marks)


def kind_told(item: Member) -> str:
    """The type of an object, in a form for losses."""
    return told(text_of(item, "type"), OBJECT_TYPES)
