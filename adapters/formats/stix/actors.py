"""The actors of a STIX report, without natural persons, and the targeted institutions."""

import re
from typing import Final

from adapters.formats.stix.objects import Member, references, text_of
from adapters.formats.stix.scope import Scope
from adapters.translation.countries import country_of
from adapters.translation.gathering import at_most
from adapters.translation.markings import Marking
from adapters.translation.persons import Persons
from adapters.translation.prose import one_line
from adapters.translation.reading import Losses
from schemas.parts import Actor, Attribution, Target
from schemas.vocab import Affiliation, AttributionLevel

__all__ = ["attribution_of", "is_person", "persons_of", "targets_of"]

_GROUP_TYPES: Final = frozenset({"crime-syndicate", "nation-state"})
_GROUP_RESOURCES: Final = frozenset({"club", "contest", "government", "organization", "team"})
MAX_ACTORS: Final = 20
MAX_ALIASES: Final = 20
MAX_TARGETS: Final = 50

_KINDS: Final = {
    "activist": "hacktivist",
    "criminal": "criminal-group",
    "crime-syndicate": "criminal-group",
    "hacker": "hacktivist",
}
_TARGET_KINDS: Final = {
    "communications": "media-outlet",
    "government": "government",
    "government-local": "government",
    "government-national": "government",
    "government-public-services": "government",
    "government-regional": "government",
    "media": "media-outlet",
    "non-profit": "civil-society",
}


def attribution_of(scope: Scope, marking: Marking, losses: Losses) -> Attribution | None:
    """The attribution of a report: `suspected` if it names a threat actor, `cluster` if it names only intrusion sets.

    A threat actor in STIX may be one natural person, and its aliases often are. So aliases, and actors not declared
    as groups, are carried only at AMBER+STRICT and RED (rule R14). No country is given: the standard does not say
    whether a location is the actor's seat or its sponsor.
    """
    actors: dict[str, Actor] = {}
    level = AttributionLevel.CLUSTER
    people = _People(scope)
    for item in scope.of("threat-actor", "intrusion-set"):
        kind = text_of(item, "type")
        person = is_person(item)
        if (person or people.may_hold(item)) and not marking.may_name_individuals:
            losses.add(kind, "natural persons are not named below TLP:AMBER+STRICT (rule R14)")
            continue
        name = one_line(text_of(item, "name"), path=f"{kind}.name", losses=losses)
        if not name:
            continue
        aliases = references(item, "aliases")
        if aliases and kind == "threat-actor" and not marking.may_name_individuals:
            losses.add("threat-actor.aliases", "may name natural persons: not carried below TLP:AMBER+STRICT")
            aliases = ()
        plain = (one_line(alias, path=f"{kind}.aliases", losses=losses) for alias in aliases)
        types = {each.lower() for each in references(item, "threat_actor_types")}
        sort = next((_KINDS[each] for each in sorted(types) if each in _KINDS), "unknown")
        actor = Actor(
            name=name,
            kind="individual" if person else sort,
            aliases=tuple(dict.fromkeys(filter(None, plain)))[:MAX_ALIASES],
            affiliation=Affiliation.STATE_LINKED if "nation-state" in types else None,
        )
        actors.setdefault(name, actor)
        if kind == "threat-actor":
            level = AttributionLevel.SUSPECTED
    if people.count:
        losses.add("identity", f"{people.count} natural persons: not named")
    named = at_most(actors.values(), MAX_ACTORS, "threat-actor", losses)
    return Attribution(level=level, actors=named) if named else None


def persons_of(scope: Scope, marking: Marking) -> Persons:
    """The names to remove from the texts of a report: of natural persons, and of actors left out because they may be one."""
    persons = Persons()
    people = _People(scope)
    may_name = marking.may_name_individuals
    shown = {
        text_of(item, "name").strip().casefold()
        for item in scope.of("threat-actor", "intrusion-set")
        if may_name or not (is_person(item) or people.may_hold(item))
    }
    for item in scope.of("identity"):
        if is_person(item):
            _add_names(persons, item, shown)
    for item in scope.of("threat-actor", "intrusion-set"):
        is_declared = is_person(item)
        if (is_declared or people.may_hold(item)) and not may_name:
            _add_names(persons, item, shown, surname=is_declared)
        elif text_of(item, "type") == "threat-actor" and not may_name:
            for alias in references(item, "aliases"):
                if alias.strip().casefold() not in shown and _looks_like_name(alias):
                    persons.add(alias)
    for item in scope.of("email-addr"):
        if _looks_like_name(text_of(item, "display_name")):
            persons.add(text_of(item, "display_name"))
    return persons


def _add_names(persons: Persons, item: Member, shown: set[str], *, surname: bool = True) -> None:
    first, last = (text_of(item, f"x_opencti_{each}") for each in ("firstname", "lastname"))
    names = (text_of(item, "name"), *references(item, "aliases"), *references(item, "x_opencti_aliases"))
    for name in (*names, f"{first} {last}" if first and last else ""):
        if name.strip().casefold() not in shown:
            persons.add(name, surname=surname)


def _looks_like_name(text: str) -> bool:
    """Whether a text is two to four capitalised words, like a person's name."""
    words = text.split()
    return 2 <= len(words) <= 4 and all(
        word[:1].isupper() and word.replace("-", "").isalpha() for word in words
    )


class _People:
    """Finds the natural persons of a report, by ties and equal names."""

    def __init__(self, scope: Scope) -> None:
        individuals = [item for item in scope.of("identity") if is_person(item)]
        self.count = len(individuals)
        self._names = {text_of(item, "name").strip().casefold() for item in individuals}
        self._groups = {
            text_of(item, "name").strip().casefold()
            for item in scope.of("intrusion-set", "campaign", "malware", "tool")
        }
        # An actor that is attributed to a person counts as that person.
        self._known_as = {
            text_of(tie.source, "id")
            for tie in scope.ties()
            if tie.kind == "attributed-to" and tie.source is not None and tie.target in individuals
        }

    def may_hold(self, item: Member) -> bool:
        """Whether an actor may be a person: a person has its name, or it is a threat actor not declared as a group."""
        name = text_of(item, "name").strip().casefold()
        if text_of(item, "x_opencti_type") == "Threat-Actor-Group":
            return False
        if name in self._names or (
            text_of(item, "type") == "threat-actor" and text_of(item, "id") in self._known_as
        ):
            return True
        return text_of(item, "type") == "threat-actor" and name not in self._groups and not _is_group(item)


def targets_of(scope: Scope, losses: Losses) -> tuple[Target, ...]:
    """The institutions at the end of ``targets`` relationships. Natural persons are left out; places become country codes."""
    targets: dict[Target, None] = {}
    for tie in scope.ties():
        if tie.kind != "targets" or tie.target is None or is_person(tie.target):
            continue
        target = _target(tie.target, losses)
        if target is None:
            losses.add("relationship[targets]", "leads to no object that a bulletin can name as a target")
        else:
            targets.setdefault(target)
    return at_most(targets, MAX_TARGETS, "relationship[targets]", losses)


def _target(aim: Member, losses: Losses) -> Target | None:
    kind = text_of(aim, "type")
    if kind == "identity":
        name = one_line(text_of(aim, "name"), path="identity.name", losses=losses)
        sectors = (_TARGET_KINDS[each] for each in references(aim, "sectors") if each in _TARGET_KINDS)
        return Target(kind=next(sectors, "other"), name=name) if name else None
    if kind == "location" and (country := country_of(text_of(aim, "country"))):
        return Target(kind="other", country=country)
    return None


def _is_group(item: Member) -> bool:
    """Whether a threat actor is declared as a group: by its types, its resources, or the class of an organisation."""
    types = {each.lower() for each in references(item, "threat_actor_types")}
    resources = re.findall("[a-z]+", text_of(item, "resource_level").lower())
    return bool(
        types & _GROUP_TYPES
        or _GROUP_RESOURCES.intersection(resources)
        or text_of(item, "identity_class").lower() in ("group", "organization")
    )


def is_person(item: Member) -> bool:
    """Whether an object is declared as one natural person."""
    return (
        text_of(item, "identity_class").lower() == "individual"
        or text_of(item, "resource_level").lower() == "individual"
        or text_of(item, "x_opencti_type") in ("Individual", "Threat-Actor-Individual")
    )
