"""The restrictions of a bulletin in words: allowed use, allowed recipients, and time of storage.

Code that shows a bulletin shows `marks`; code that hands one on calls `why_held` first. Pure.
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
        Pap.CLEAR: "you may do everything with it that the law allows",
    }
)
"""PAP -> the allowed use of the content."""


class Held(NamedTuple):
    """The reason why a bulletin may not be handed on: the code, and the end of a sentence that begins with the bulletin's id."""

    reason: str
    text: str


def embargo(b: Bulletin, now: dt.datetime) -> dt.datetime | None:
    """The end of a bulletin's embargo; None if it has none, or if it is over.

    Args:
        b: the bulletin.
        now: the present, aware.
    """
    until = b.handling.embargo_until
    return until if until is not None and now < until else None


def countries(b: Bulletin) -> frozenset[str]:
    """The only countries whose authorities may have a bulletin; empty if it does not limit them."""
    named = b.handling.releasable_to
    return frozenset((*named, b.issuer.country)) if named else frozenset()


def last_day(b: Bulletin) -> dt.date | None:
    """The last day, in UTC, on which a reader may keep a bulletin; None if there is no limit.

    It is the earlier of the last day of its personal data and of `retention_days` after its issue, but never before
    the day on which it expires: a bulletin in force cannot vanish.
    """
    days = []
    personal, kept = b.personal_data, b.handling.retention_days
    if personal is not None and personal.flag is not PersonalFlag.NONE:
        days.append(personal.retention_until)
    if kept is not None:
        days.append(_day(b.issued) + dt.timedelta(days=kept))
    return max(min(days), _day(b.expires)) if days else None


def why_held(b: Bulletin, now: dt.datetime, to: Collection[str] | None = None) -> Held | None:
    """The reason why a bulletin may not be handed on; None if it may.

    The read grants of the recipients are checked by the registry, not here.

    Args:
        b: the bulletin.
        now: the present, aware.
        to: the countries of the recipients, all with a read grant; None if no recipient is named.
    """
    until = embargo(b, now)
    if until is not None and to is None:
        return Held("embargoed", f"is under embargo until {_moment(until)}")
    allowed = countries(b)
    if allowed and (to is None or not allowed.issuperset(to)):
        return Held("not-releasable", f"is only for authorities of {_named(allowed)}")
    return None


def marks(b: Bulletin, now: dt.datetime) -> tuple[str, ...]:
    """The restrictions of a bulletin, in a few words each; empty if there are none."""
    until, allowed = embargo(b, now), countries(b)
    return (
        *((f"embargo until {_moment(until)}",) if until else ()),
        *((f"PAP:{b.pap.upper()}",) if b.pap in (Pap.RED, Pap.AMBER) else ()),
        *((f"{_named(allowed)} only",) if allowed else ()),
        *(("source withheld",) if b.handling.anonymise_source else ()),
    )


def sentences(b: Bulletin, now: dt.datetime) -> tuple[str, ...]:
    """The same in sentences, with the time of storage: for a person who reads or is about to publish one bulletin."""
    until, allowed, day = embargo(b, now), countries(b), last_day(b)
    said = [f"PAP:{b.pap.upper()}: {PAP_IN_WORDS[b.pap]}"]
    if until is not None:
        said.append(f"embargo: its readers see it now; do not hand it on before {_moment(until)}")
    if allowed:
        said.append(f"only for authorities of {_named(allowed)}; do not hand it on to other countries")
    if b.handling.anonymise_source:
        said.append("its source is withheld: do not ask for it in public, and do not name it")
    if b.handling.attribution is AttributionRule.MUST_NOT:
        said.append("do not name its issuer when you hand it on")
    if day is not None:
        said.append(f"kept until {day} and erased the day after; its place in the chain and its digest stay")
    return tuple(said)


def _day(moment: dt.datetime) -> dt.date:
    return moment.astimezone(dt.UTC).date()


def _moment(when: dt.datetime) -> str:
    return f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _named(allowed: Collection[str]) -> str:
    return ", ".join(sorted(allowed))
