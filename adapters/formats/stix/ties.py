"""Turns the relationships of a STIX report into links of a bulletin: each end is a place in the bulletin, or a thing for the object.

An object that must not be named becomes a thing without a name: a bulletin shows that two accounts spread one page, but not their owners.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice, product
from typing import Final

from adapters.formats.stix.actors import is_person
from adapters.formats.stix.names import OBSERVABLE_TYPES, RELATIONSHIP_TYPES
from adapters.formats.stix.objects import Member, held_values, named_value, references, technique_of, text_of
from adapters.formats.stix.patterns import PatternError, read_pattern
from adapters.formats.stix.scope import Scope
from adapters.translation.countries import country_of
from adapters.translation.drafting import instant, integer
from adapters.translation.markings import Marking
from adapters.translation.persons import Persons
from adapters.translation.prose import carried, one_line
from adapters.translation.reading import Losses, told
from schemas.bodies.foreign import Fimi
from schemas.bulletin import Draft
from schemas.links import MAX_LINKS, MAX_THINGS, Link, Thing
from schemas.observables import platform_named
from schemas.open_vocab import OPEN

__all__ = ["Ties"]

MAX_OF_ONE: Final = 20
"""The most links from one relationship, if an end is an indicator with several values."""

_KINDS: Final = {
    "campaign": "campaign",
    "channel": "outlet",
    "email-addr": "mailbox",
    "event": "event",
    "incident": "event",
    "infrastructure": "infrastructure",
    "location": "place",
    "malware": "malware",
    "media-content": "content",
    "phone-number": "phone",
    "text": "content",
    "tool": "tool",
    "user-account": "account",
    "vulnerability": "vulnerability",
}
_NAMED: Final = frozenset(
    {"campaign", "event", "incident", "infrastructure", "location", "malware", "tool", "vulnerability"}
)
"""Objects whose name is shown; their other content may belong to a person."""
_ORGANISATIONS: Final = frozenset({"class", "group", "organization", "system"})


class Ties:
    """The ties of one report."""

    def __init__(self, scope: Scope, marking: Marking, persons: Persons, losses: Losses) -> None:
        self._scope = scope
        self._persons = persons
        self._losses = losses
        self._may_name = marking.may_name_individuals

    def of(self, draft: Draft) -> tuple[tuple[Thing, ...], tuple[Link, ...]]:
        """(things, links) of a draft with final observables.

        Losses: relationships whose ends a bulletin cannot hold, whose two ends become the same, or that are too many.
        """
        places = _Places(draft, self._thing, partial(one_line, path="relationship", losses=Losses()))
        links: dict[tuple[str, str, str], Link] = {}
        for tie in self._scope.ties():
            if tie.source is None or tie.target is None:
                continue  # reported where the report is read
            path = f"relationship[{told(tie.kind, RELATIONSHIP_TYPES)}]"
            if len(links) > MAX_LINKS - MAX_OF_ONE:
                self._losses.add(path, f"too many ties: a bulletin holds {MAX_LINKS}")
                continue
            known = tie.kind in OPEN["link-type"].values
            if not known:
                self._losses.add(path, "carried as related-to")
            score = integer(tie.item.get("confidence"))
            found = [
                Link(
                    from_=source,
                    rel=tie.kind if known else "related-to",
                    to=target,
                    confidence=score if score is not None and 0 <= score <= 100 else None,
                )
                for source, target in islice(
                    product(places.of(tie.source), places.of(tie.target)), MAX_OF_ONE
                )
                if source != target
            ]
            if not found:
                self._losses.add(path, "an end without a field in a bulletin, or equal ends")
            for link in found:
                links.setdefault((link.from_, link.rel, link.to), link)
        return places.things, tuple(links.values())

    def _thing(self, item: Member) -> Thing | None:
        """The thing for an object that no other field holds."""
        kind = text_of(item, "type")
        if kind == "identity":
            return self._identity(item)
        if kind in ("threat-actor", "intrusion-set"):
            return Thing(kind="actor")
        if kind not in _KINDS:
            return Thing(kind="other") if kind in OBSERVABLE_TYPES else None
        return Thing(
            kind=_KINDS[kind],
            name=self._name(item) if kind in _NAMED else None,
            country=country_of(text_of(item, "country")) if kind == "location" else None,
            platform=platform_named(text_of(item, "account_type")) if kind == "user-account" else None,
            at=instant(item.get("start_time")) if kind == "event" else None,
        )

    def _identity(self, item: Member) -> Thing:
        if is_person(item):
            return Thing(kind="person")
        if text_of(item, "identity_class").lower() not in _ORGANISATIONS:
            return Thing(kind="other")
        return Thing(kind="organisation", name=self._name(item))

    def _name(self, item: Member) -> str | None:
        """The name of an object, if it may be shown: without a report, only a marked object is as wide as the whole."""
        if self._scope.report is None and not references(item, "object_marking_refs"):
            return None
        name = one_line(text_of(item, "name"), path=f"{text_of(item, 'type')}.name", losses=Losses())
        if name is None or self._persons.are_in(name):
            return None
        is_address = text_of(item, "type") == "location" and any(letter.isdigit() for letter in name)
        return None if is_address else name


class _Places:
    """The place of each object of a report in its draft; an object without a place becomes a thing."""

    def __init__(
        self, draft: Draft, thing: Callable[[Member], Thing | None], line: Callable[[str], str | None]
    ) -> None:
        self._thing = thing
        self._line = line
        self._found: dict[str, tuple[str, ...]] = {}
        self._things: dict[str, Thing] = {}
        self._body = draft.body
        self._observables = {(each.type, each.value): n for n, each in enumerate(draft.observables)}
        self._ttps = {(each.framework, each.id): n for n, each in enumerate(draft.ttps)}
        self._targets = {each.name: n for n, each in enumerate(draft.targets) if each.name}
        actors = draft.attribution.actors if draft.attribution else ()
        self._actors = {each.name: n for n, each in enumerate(actors)}
        narratives = draft.body.narratives if isinstance(draft.body, Fimi) else ()
        self._narratives = {each.text: n for n, each in enumerate(narratives)}

    @property
    def things(self) -> tuple[Thing, ...]:
        """The things for objects that no other field holds, in the order of their first relationship."""
        return tuple(self._things.values())

    def of(self, item: Member) -> tuple[str, ...]:
        """The ends for an object; empty if a bulletin has no place for it."""
        identifier = text_of(item, "id")
        if identifier not in self._found:
            self._found[identifier] = tuple(dict.fromkeys(self._ends(item))) or self._as_thing(item)
        return self._found[identifier]

    def _as_thing(self, item: Member) -> tuple[str, ...]:
        thing = self._thing(item)
        if thing is None:
            return ()
        # Two objects without a name stay separate; objects with the same name become one thing.
        key = repr(thing) if thing.name else text_of(item, "id")
        if key not in self._things and len(self._things) >= MAX_THINGS:
            return ()
        self._things.setdefault(key, thing)
        return (f"things/{list(self._things).index(key)}",)

    def _ends(self, item: Member) -> list[str]:
        kind = text_of(item, "type")
        match kind:
            case "report" | "grouping":
                return ["body"]
            case "campaign":
                is_body = isinstance(self._body, Fimi) and self._body.name == self._name(item)
                return ["body"] if is_body else []
            case "attack-pattern" | "attack-action":
                ttp = technique_of(item)
                return _at("ttps", self._ttps.get((ttp.framework, ttp.id)) if ttp else None)
            case "threat-actor" | "intrusion-set":
                return _at("actors", self._actors.get(self._name(item) or ""))
            case "identity":
                return _at("targets", self._targets.get(self._name(item) or ""))
            case "narrative":
                words = text_of(item, "name") or text_of(item, "description")
                text = carried(words, limit=500, path="narrative", losses=Losses())
                return _at("narratives", self._narratives.get(text or ""))
            case "indicator":
                return self._values_of(item)
            case _ if kind in OBSERVABLE_TYPES:
                keys = ((held.found.type, held.found.value) for held in held_values(item))
                return [f"observables/{n}" for key in keys if (n := self._observables.get(key)) is not None][
                    :1
                ]
            case _:
                return []

    def _values_of(self, item: Member) -> list[str]:
        try:
            named = read_pattern(text_of(item, "pattern")).values
        except PatternError:
            return []
        seen = [each for each in map(named_value, named) if each]
        keys = ((each.type, each.value) for each in seen)
        return [f"observables/{n}" for key in keys if (n := self._observables.get(key)) is not None]

    def _name(self, item: Member) -> str | None:
        return self._line(text_of(item, "name"))


def _at(kind: str, n: int | None) -> list[str]:
    return [] if n is None else [f"{kind}/{n}"]
