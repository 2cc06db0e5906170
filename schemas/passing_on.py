"""What a bulletin forbids its readers, in words: what may be done with it, to whom it may be handed on, how long it is kept.

Whoever shows a bulletin shows the marks; whoever hands one on asks `why_held` first. Pure.
Sources: the MISP taxonomies PAP (version 3) and tlp (EX:CHR), FIRST TLP 2.0, FIRST IEP 2.0, GDPR Article 5(1)(e).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.bulletin import Bulletin
from schemas.vocab import AttributionRule, Pap, PersonalFlag

PAP_IN_WORDS: Mapping[Pap, str] = MappingProxyType(
    {
        Pap.RED: "look in your own logs only; do nothing that others could notice",
        Pap.AMBER: "look it up, at third parties too; neither touch nor block it",
        Pap.GREEN: "you may act on it and block it",
        Pap.CLEAR: "you may do with it whatever the law allows",
    }
)
"""What a reader may do with the content."""


class Held(NamedTuple):
    """Why a bulletin may not be handed on: the reason code, and the end of a sentence that begins with the bulletin."""

    reason: str
    text: str


def embargo(b: Bulletin, now: dt.datetime) -> dt.datetime | None:
    """Until when nothing hands a bulletin on; None where it has no embargo, or that is over.

    Args:
        b: the bulletin.
        now: the present, aware.
    """
    until = b.handling.embargo_until
    return until if until is not None and now < until else None


def countries(b: Bulletin) -> frozenset[str]:
    """The countries whose authorities alone may have a bulletin; none where it names none."""
    named = b.handling.releasable_to
    return frozenset((*named, b.issuer.country)) if named else frozenset()


def last_day(b: Bulletin) -> dt.date | None:
    """The last day, in UTC, on which a reader may keep a bulletin; None where it sets none.

    It is the earlier of the last day of its personal data and of `retention_days` after it was issued, but never before the
    day on which it expires: an author cannot have what it says vanish while it holds.
    """
    days = []
    personal, kept = b.personal_data, b.handling.retention_days
    if personal is not None and personal.flag is not PersonalFlag.NONE:
        days.append(personal.retention_until)
    if kept is not None:
        days.append(_day(b.issued) + dt.timedelta(days=kept))
    return max(min(days), _day(b.expires)) if days else None


def why_held(b: Bulletin, now: dt.datetime, to: Collection[str] | None = None) -> Held | None:
    """Why a bulletin may not be handed on; None when it may.

    Whether those it goes to may read it at all is asked of the registry.

    Args:
        b: the bulletin.
        now: the present, aware.
        to: the countries of the authorities it goes to, all of which may read it; None: it goes to nobody in particular.
    """
    until = embargo(b, now)
    if until is not None and to is None:
        return Held("embargoed", f"is under embargo until {_moment(until)}")
    allowed = countries(b)
    if allowed and (to is None or not allowed.issuperset(to)):
        return Held("not-releasable", f"is for authorities of {_named(allowed)} alone")
    return None


def marks(b: Bulletin, now: dt.datetime) -> tuple[str, ...]:
    """What a reader must know before it does anything with a bulletin, in a few words each; none where it is unrestricted."""
    until, allowed = embargo(b, now), countries(b)
    return (
        *((f"embargo until {_moment(until)}",) if until else ()),
        *((f"PAP:{b.pap.upper()}",) if b.pap in (Pap.RED, Pap.AMBER) else ()),
        *((f"{_named(allowed)} only",) if allowed else ()),
        *(("source withheld",) if b.handling.anonymise_source else ()),
    )


def sentences(b: Bulletin, now: dt.datetime) -> tuple[str, ...]:
    """The same in sentences, with how long it is kept: for who looks at one bulletin, or is about to publish it."""
    until, allowed, day = embargo(b, now), countries(b), last_day(b)
    said = [f"PAP:{b.pap.upper()}: {PAP_IN_WORDS[b.pap]}"]
    if until is not None:
        said.append(f"embargo: its readers see it now; nothing hands it on before {_moment(until)}")
    if allowed:
        said.append(f"for authorities of {_named(allowed)} alone; it is handed on to no other country")
    if b.handling.anonymise_source:
        said.append("its source is withheld: do not ask for it in public, nor name it if you know it")
    if b.handling.attribution is AttributionRule.MUST_NOT:
        said.append("whoever hands it on does not name its issuer")
    if day is not None:
        said.append(f"kept until {day} and erased the day after; its place in the chain and its digest stay")
    return tuple(said)


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.UTC).date()


def _moment(when: dt.datetime) -> str:
    return f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _named(allowed: Collection[str]) -> str:
    return ", ".join(sorted(allowed))
