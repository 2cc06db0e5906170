"""Opens the JSON export of a MISP instance: finds its events, and reads members that may be numbers or text.

Source: MISP core format (draft-dulaunoy-misp-core-format); the search and feed answers of MISP.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Final

from adapters.translation.drafting import instant
from adapters.translation.reading import FormatError

__all__ = ["UUID", "Member", "day_of", "events_of", "is_true", "members", "sightings", "text_of"]

Member = Mapping[str, object]

UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ALONE: Final = "only attributes: the marking is in their event, which is missing"
_EVENT_MEMBERS: Final = frozenset(
    {"Attribute", "Object", "Orgc", "analysis", "date", "distribution", "threat_level_id", "uuid"}
)
_DEFINITION_MEMBERS: Final = frozenset(
    {"GalaxyCluster", "attributes", "kill_chain_order", "namespace", "predicates", "requiredOneOf", "values"}
)


def events_of(document: object) -> Iterator[Member]:
    """Finds the events of an export, in their order.

    Args:
        document: Strictly read JSON.

    Raises:
        FormatError: ``empty``, ``not-an-event``, ``attributes-without-event``, ``search-index``, ``feed-manifest``, ``definition``,
            ``malformed-event``.
    """
    match document:
        case {"response": inner}:
            if isinstance(inner, Mapping) and "Attribute" in inner and "info" not in inner:
                raise FormatError(_ALONE, reason="attributes-without-event")
            yield from events_of(inner)
        case {"Event": Mapping() as event}:
            yield _checked(event)
        case Mapping() if document:
            yield _checked(document)
        case [_, *_]:
            for item in document:
                if (
                    isinstance(item, Mapping)
                    and "info" in item
                    and not item.keys() & {"Attribute", "Event", "Object"}
                ):
                    raise FormatError("a list of event headers, not of events", reason="search-index")
                yield from events_of(item)
        case _:
            raise FormatError("no event in it", reason="empty")


def _checked(event: Member) -> Member:
    if "info" in event and event.keys() & _EVENT_MEMBERS:
        if not isinstance(event["info"], str):
            raise FormatError("the event's info is not text", reason="malformed-event")
        return event
    if event and all(UUID.fullmatch(str(key)) for key in event):
        raise FormatError(
            "the manifest of a feed, which lists events without holding them", reason="feed-manifest"
        )
    if event.keys() & {"Attribute", "Object"}:
        raise FormatError(_ALONE, reason="attributes-without-event")
    if event.keys() & _DEFINITION_MEMBERS:
        raise FormatError("a definition of a taxonomy, galaxy or object template", reason="definition")
    raise FormatError("JSON, but not a MISP event", reason="not-an-event")


def sightings(attribute: Member) -> tuple[int, list[dt.datetime], bool]:
    """(number of sightings, their times, whether a sighting calls the value harmless or expired: MISP sighting types 1 and 2)."""
    count, seen, doubted = 0, [], False
    for sighting in members(attribute, "Sighting"):
        if text_of(sighting, "type") in ("1", "2"):
            doubted = True
            continue
        count += 1
        if moment := instant(sighting.get("date_sighting")):
            seen.append(moment)
    return count, seen, doubted


def members(owner: Member, name: str) -> list[Member]:
    """The objects under a name; a lone object is a list of one."""
    found = owner.get(name)
    listed = found if isinstance(found, list) else [found]
    return [item for item in listed if isinstance(item, Mapping)]


def text_of(owner: Member, name: str) -> str:
    """A text, a number as text, or the empty string."""
    found = owner.get(name)
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int | float) and not isinstance(found, bool) else ""


def is_true(found: object) -> bool:
    """Whether a member is true, in any of its spellings."""
    return found is True or (isinstance(found, str) and found.lower() in ("1", "true")) or found == 1


def day_of(text: str) -> dt.datetime | None:
    """The beginning of an ISO 8601 day in UTC, or None."""
    try:
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC)
    except ValueError:
        return None
