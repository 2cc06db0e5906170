"""Checks of `bulletin check`, `publish` and its rehearsal beyond the rules that bind readers. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from schemas.bodies.electoral import ElectionCalendar
from schemas.bulletin import new_id, stamp
from schemas.errors import Violation
from schemas.lint import lint
from schemas.passing_on import countries
from schemas.remarks import remarks
from schemas.review import doubts
from schemas.subject import channel_of
from schemas.vocab import Phase

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Bulletin, Defaults, Draft
    from schemas.parts import Authority

_RANDOM = bytes(10)
EVENING, EARLY = 20, 4
"""The hours of the night, in which no poll is open."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of a draft that breaks no rule.

    Attributes:
        doubts: findings that a person must check before publishing.
        remarks: oddities that do not stop the draft.
    """

    doubts: tuple[Violation, ...] = ()
    remarks: tuple[Violation, ...] = ()


def stamped(draft: Draft, issuer: Authority, given: Defaults, now: dt.datetime) -> Bulletin:
    """The draft as the first bulletin of its channel, unsigned, for checks before it is published.

    Raises:
        SchemaError: the stamped bulletin breaks a bound.
    """
    return stamp(
        draft,
        id=new_id(now, _RANDOM),
        seq=1,
        prev=None,
        issuer=issuer,
        issued=now,
        defaults=given,
    )


def judgement(draft: Draft, bulletin: Bulletin, registry: VerifiedRegistry | None) -> Judgement:
    """The doubts and remarks about a draft, stamped as a bulletin."""
    odd = (*lint(draft), *remarks(bulletin), *_at_night(bulletin), *_without_law(bulletin, registry))
    found = (*doubts(bulletin), *_unknown(bulletin, registry), *_elsewhere(bulletin, registry))
    return Judgement(doubts=found, remarks=odd)


def _unknown(bulletin: Bulletin, registry: VerifiedRegistry | None) -> Iterator[Violation]:
    """Co-issuers that the registry does not list: a mistake, unless another registry lists them."""
    for n, other in enumerate(bulletin.co_issuers if registry is not None else ()):
        if registry is not None and other.id not in registry.document.authorities:
            yield Violation(
                "co-issuer", f"$.co_issuers[{n}].id", f"{other.id} is not in the registry; leave it out"
            )


def _without_law(bulletin: Bulletin, registry: VerifiedRegistry | None) -> Iterator[Violation]:
    """Clocks that the registry does not list, unless named after a country: each network lists the laws it knows."""
    for n, each in enumerate(bulletin.deadlines if registry is not None else ()):
        first = each.clock.partition("-")[0]
        if (
            registry is not None
            and each.clock not in registry.document.clocks
            and first != "national"
            and len(first) > 2
        ):
            yield Violation(
                "clock",
                f"$.deadlines[{n}].clock",
                f"the registry has no clock {each.clock}, so nobody checks its deadline; use a clock of the registry",
            )


def _elsewhere(bulletin: Bulletin, registry: VerifiedRegistry | None) -> Iterator[Violation]:
    """Readers of countries that `releasable_to` leaves out. The readers depend on the registry, so this is not a rule."""
    allowed = countries(bulletin)
    if registry is None or not allowed:
        return
    readers = {name: registry.authority(name).country for name in registry.readers(channel_of(bulletin))}
    if strangers := [f"{name} ({country})" for name, country in readers.items() if country not in allowed]:
        named = ", ".join(strangers[:3])
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        yield Violation(
            "releasable-to",
            "$.handling.releasable_to",
            f"{named}{more} would read it and {'is' if len(strangers) == 1 else 'are'} left out; "
            "choose an audience without them, or add their country",
        )


def _at_night(bulletin: Bulletin) -> Iterator[Violation]:
    """A polling window in the night of its own time zone: probably hours of another zone."""
    if not isinstance(bulletin.body, ElectionCalendar):
        return
    try:
        zone = ZoneInfo(bulletin.body.tz)
    except (
        ZoneInfoNotFoundError,
        ValueError,
    ):  # the rules check the name; this machine may lack the zone
        return
    for n, window in enumerate(bulletin.body.windows):
        start, end = window.start.astimezone(zone), window.end.astimezone(zone)
        is_long = window.end - window.start >= dt.timedelta(hours=20)  # day and night
        if window.phase is Phase.POLLING and not is_long and (start.hour >= EVENING or start.hour < EARLY):
            yield Violation(
                "night",
                f"$.body.windows[{n}]",
                f"polls are open from {start:%H:%M} to {end:%H:%M} in {bulletin.body.tz}; are these the hours of that zone?",
            )
