"""Ties: typed relations between things that a bulletin names.

Each end of a tie is a place in the same bulletin, so nothing is repeated and nothing outside is referenced.
Source: STIX Version 2.1, sections 2.2 and 3.7 and 4.13 (relationships); `link-type` uses its words if it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from schemas.scalars import Country, Form, Open, Part, Percent, Slug, Text80, Text160, Time
from schemas.vocab import ContentCredentials

if TYPE_CHECKING:
    from schemas.bulletin import Bulletin, Draft

MAX_THINGS = 200
MAX_LINKS = 1000

End = Annotated[
    str,
    Meta(
        pattern=(
            r"^(?:body|(?:observables|things|narratives|actors|targets|ttps|listed|evidence|references)"
            r"/(?:0|[1-9][0-9]{0,2}))$(?!\n)"
        ),
        description="a place in this bulletin, counted from 0: observables/3, things/0, narratives/1 of the body, actors/0 of the "
        "attribution, targets/0, ttps/2, listed/0 of the body, evidence/0, references/0; body is the subject of the bulletin",
    ),
    Form(
        "a place of this draft: body, or the name of a list, a slash and a number counted from 0",
        "observables/0",
    ),
]


class Thing(Part, frozen=True, kw_only=True):
    """An end of a tie that no other field holds: an outlet, an account, an event. It has no name if none may be given."""

    kind: Annotated[Slug, Open("thing-kind")]
    name: Text160 | None = None
    country: Country | None = None
    platform: Slug | None = None
    at: Annotated[Time | None, Meta(description="time of an event")] = None


class Link(
    Part,
    frozen=True,
    kw_only=True,
    rename={"from_": "from"},
):
    """One tie, read from its first end to its second."""

    from_: End
    rel: Annotated[Slug, Open("link-type")]
    to: End
    confidence: Annotated[Percent | None, Meta(description="STIX 2.1 confidence of this tie only")] = None


class MediaCheck(Part, frozen=True, kw_only=True):
    """The result of a check whether a recording, an image or a text is genuine; one check for each method.

    Source: C2PA Technical Specification 2.1, section 14 (validation); Regulation (EU) 2024/1689, Article 50.
    """

    of: End
    method: Annotated[Slug, Open("media-check")]
    verdict: Annotated[Slug, Open("media-verdict")]
    certainty: Annotated[Percent | None, Meta(description="of the verdict, in percent")] = None
    c2pa: ContentCredentials | None = None
    signer: Annotated[Text160 | None, Meta(description="signer of the content credentials")] = None
    tool: Annotated[Text80 | None, Meta(description="detector, with its version")] = None
    checked: Time | None = None


def counts(b: Bulletin | Draft) -> Mapping[str, int]:
    """Kind of end -> number of such ends in a bulletin."""
    return MappingProxyType(
        {
            "observables": len(b.observables),
            "things": len(b.things),
            "narratives": len(getattr(b.body, "narratives", ())),
            "actors": len(b.attribution.actors) if b.attribution else 0,
            "targets": len(b.targets),
            "ttps": len(b.ttps),
            "listed": len(getattr(b.body, "listed", ())),
            "evidence": len(b.evidence),
            "references": len(b.references),
        }
    )


def is_there(end: str, held: Mapping[str, int]) -> bool:
    """Whether an end exists, given the numbers of `counts`."""
    kind, _, number = end.partition("/")
    return kind == "body" or int(number) < held[kind]


def told(b: Bulletin | Draft, end: str) -> str:
    """The thing at an end, in one line for a person; the end itself if it does not exist."""
    if not is_there(end, counts(b)):
        return end
    kind, _, number = end.partition("/")
    if kind == "body":
        return str(getattr(b.body, "name", None) or getattr(b.body, "title", None) or b.kind)
    return _TOLD[kind](b, int(number))


def _thing(b: Any, n: int) -> str:
    thing = b.things[n]
    return f"{thing.kind} {thing.name or f'no. {n}, not named'}"


_TOLD: Mapping[str, Callable[[Any, int], str]] = MappingProxyType(
    {
        "observables": lambda b, n: f"{b.observables[n].type} {b.observables[n].value or '(keyed hash)'}",
        "things": _thing,
        "narratives": lambda b, n: f"narrative: {b.body.narratives[n].text}",
        "actors": lambda b, n: f"actor {b.attribution.actors[n].name}",
        "targets": lambda b, n: f"target {b.targets[n].name or b.targets[n].country or b.targets[n].kind}",
        "ttps": lambda b, n: f"{b.ttps[n].framework} {b.ttps[n].id}",
        "listed": lambda b, n: f"listed {b.body.listed[n].names[0].whole}",
        "evidence": lambda b, n: f"evidence: {b.evidence[n].title}",
        "references": lambda b, n: f"bulletin {b.references[n].id}",
    }
)
