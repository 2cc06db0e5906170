"""Whom a STIX report names: actors without natural persons, and institutions that are targeted."""

from typing import Final

from adapters.formats.stix.bundle import Scope
from adapters.formats.stix.objects import Member, references, text_of
from adapters.translation.gathering import at_most
from adapters.translation.markings import Marking
from adapters.translation.prose import one_line
from adapters.translation.reading import Losses
from schemas.parts import Actor, Attribution, Target
from schemas.vocab import Affiliation, AttributionLevel

__all__ = ["attribution_of", "targets_of"]

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
    """The actors a report names: `suspected` when it names a threat actor, `cluster` when it names intrusion sets only.

    A threat actor in STIX may be one natural person, and its aliases often are: the aliases, and actors that say of themselves that
    they are individuals, are carried at AMBER+STRICT and RED only (rule R14). No country is given: the standard does not
    say whether a location is where an actor sits or whom it serves.
    """
    actors: dict[str, Actor] = {}
    level = AttributionLevel.CLUSTER
    for item in scope.of("threat-actor", "intrusion-set"):
        kind = text_of(item, "type")
        person = _is_person(item)
        if person and not marking.may_name_individuals:
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
    people = sum(map(_is_person, scope.of("identity")))
    if people:
        losses.add("identity", f"{people} natural persons: not named")
    named = at_most(actors.values(), MAX_ACTORS, "threat-actor", losses)
    return Attribution(level=level, actors=named) if named else None


def targets_of(scope: Scope, losses: Losses) -> tuple[Target, ...]:
    """The institutions that ``targets`` relationships lead to; natural persons are left out, places carried by country code."""
    targets: dict[Target, None] = {}
    for item in scope.of("relationship"):
        if text_of(item, "relationship_type") != "targets":
            continue
        aim = scope.get(text_of(item, "target_ref"))
        if aim is None or _is_person(aim):
            continue
        target = _target(aim, losses)
        if target is None:
            losses.add("relationship[targets]", "leads to nothing that a bulletin can name as a target")
        else:
            targets.setdefault(target)
    return at_most(targets, MAX_TARGETS, "relationship[targets]", losses)


def _target(aim: Member, losses: Losses) -> Target | None:
    kind = text_of(aim, "type")
    if kind == "identity":
        name = one_line(text_of(aim, "name"), path="identity.name", losses=losses)
        sectors = (_TARGET_KINDS[each] for each in references(aim, "sectors") if each in _TARGET_KINDS)
        return Target(kind=next(sectors, "other"), name=name) if name else None
    country = text_of(aim, "country").strip().upper()
    if kind == "location" and len(country) == 2 and country.isascii() and country.isalpha():
        return Target(kind="other", country=country)
    return None


def _is_person(item: Member) -> bool:
    return (
        text_of(item, "identity_class").lower() == "individual"
        or text_of(item, "resource_level").lower() == "individual"
        or text_of(item, "x_opencti_type") in ("Individual", "Threat-Actor-Individual")
    )
