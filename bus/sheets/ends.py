"""The object at an end of a tie, in the reader's language. `schemas.links` gives it in English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bus.sheets.telling import Telling
from schemas.bulletin import Bulletin
from schemas.links import counts, is_there


def told_end(tell: Telling, b: Bulletin, end: str) -> str:
    """The object at an end of a tie; the end itself if there is none."""
    if not is_there(end, counts(b)):
        return end
    kind, _, number = end.partition("/")
    if kind == "body":
        named = getattr(b.body, "name", None) or getattr(b.body, "title", None)
        return str(named or tell.say.say("end-body"))
    return _ENDS[kind](tell, b, int(number))


def _observable(tell: Telling, b: Bulletin, n: int) -> str:
    each = tell.observable(b.observables[n])
    return f"{each.label} {each.text[0]}"


def _thing(tell: Telling, b: Bulletin, n: int) -> str:
    thing = b.things[n]
    return f"{tell.say.word('thing-kind', thing.kind)} {thing.name or tell.say.say('thing-unnamed', n=n)}"


def _target(tell: Telling, b: Bulletin, n: int) -> str:
    target = b.targets[n]
    return target.name or target.country or tell.say.word("target-kind", target.kind)


def _technique(tell: Telling, b: Bulletin, n: int) -> str:
    return tell.technique(b.ttps[n].framework, b.ttps[n].id, b.ttps[n].name)


# Only some bodies have narratives or listed names; an end of those is there only in them.
_ENDS: Mapping[str, Callable[[Telling, Any, int], str]] = MappingProxyType(
    {
        "observables": _observable,
        "things": _thing,
        "targets": lambda tell, b, n: f"{tell.say.say('end-target')} {_target(tell, b, n)}",
        "ttps": _technique,
        "actors": lambda tell, b, n: f"{tell.say.say('end-actor')} {b.attribution.actors[n].name}",
        "evidence": lambda tell, b, n: f"{tell.say.say('end-evidence')}: {b.evidence[n].title}",
        "references": lambda tell, b, n: f"{tell.say.say('end-bulletin')} {b.references[n].id}",
        "narratives": lambda tell, b, n: f"{tell.say.say('end-narrative')}: {b.body.narratives[n].text}",
        "listed": lambda tell, b, n: f"{tell.say.say('end-listed')} {b.body.listed[n].names[0].whole}",
    }
)
