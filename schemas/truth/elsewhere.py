"""Doubts: a vote under way whose id has another year, and manipulation from another country than stated."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.truth import phrases
from schemas.vocab import Phase, Status

_VOTING = (Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.POLLING, Phase.COUNTING)


def of_another_year(b: Bulletin) -> Iterator[Violation]:
    """A vote under way with the id of an election of another year."""
    election = b.election
    if (
        election is None
        or election.phase not in _VOTING
        or b.status is not Status.ACTUAL
        or isinstance(b.body, ElectionCalendar)
    ):
        return
    if any(phrases.OFF.search(f"{info.headline} {info.summary}") for info in b.info):
        return  # it was postponed, and says so
    year = int(election.id.split("-")[2])
    if abs(year - b.issued.year) > 1 or (
        election.polling_first is not None and abs(year - election.polling_first.year) > 1
    ):
        yield Violation(
            "phase",
            "$.election.id",
            f"{election.phase} in {b.issued.year}, but {election.id} is of {year}; correct the id, or the phase",
        )


def origin(b: Bulletin) -> Iterator[Violation]:
    """Domestic manipulation only by actors of other countries, or for a state; and the reverse."""
    if not isinstance(b.body, Fimi) or b.attribution is None or b.issuer.country in ("EU", "INT"):
        return
    said = b.body.origin
    countries = {actor.country for actor in b.attribution.actors if actor.country}
    if said == "domestic" and countries and b.issuer.country not in countries:
        yield Violation(
            "attribution",
            "$.body.origin",
            f"says domestic, but all actors are of {', '.join(sorted(countries))}; write foreign or mixed",
        )
    elif said == "foreign" and countries == {b.issuer.country} and not (_for_others(b) or b.body.aligned):
        yield Violation(
            "attribution",
            "$.body.origin",
            f"says foreign, but all actors are of {b.issuer.country}; write domestic or mixed",
        )


def of_itself(b: Bulletin) -> Iterator[Violation]:
    """An issuer that names itself as the actor."""
    me = {each.casefold() for each in (b.issuer.id, b.issuer.name) if each}
    for n, actor in enumerate(b.attribution.actors if b.attribution is not None else ()):
        if me & {actor.name.casefold(), *(alias.casefold() for alias in actor.aliases)}:
            yield Violation(
                "attribution",
                f"$.attribution.actors[{n}].name",
                f"{actor.name} is the issuer; name the actor",
            )


def over(b: Bulletin) -> Iterator[Violation]:
    """A calendar of a scheduled vote whose polls have closed."""
    if not isinstance(b.body, ElectionCalendar) or b.election is None or b.status is not Status.ACTUAL:
        return
    closes = [window.end for window in b.body.windows if window.phase is Phase.POLLING]
    if closes and max(closes) < b.issued and b.election.phase in _AHEAD:
        yield Violation(
            "phase",
            "$.election.phase",
            f"{b.election.phase}, and the last poll closed on {max(closes).date()}",
        )


_AHEAD = (Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE, Phase.ADVANCE_VOTING)


def unborn(b: Bulletin) -> Iterator[Violation]:
    """A person listed before their birth."""
    if isinstance(b.body, SanctionsListing):
        for n, each in enumerate(b.body.listed):
            years = [
                int(year) for text in each.birth for year in re.findall(r"(?<!\d)[12][0-9]{3}(?!\d)", text)
            ]
            if years and max(years) >= b.issued.year:
                yield Violation(
                    "time", f"$.body.listed[{n}].birth", f"born in {max(years)}; copy the year again"
                )


def _for_others(b: Bulletin) -> bool:
    """Whether some actors act for others."""
    return b.attribution is not None and any(
        actor.kind in ("proxy", "contractor", "influencer", "mercenary-group", "unknown")
        for actor in b.attribution.actors
    )
