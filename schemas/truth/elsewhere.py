"""Elsewhere: a vote under way that is of another year, and manipulation from another country than is said. For doubts alone."""

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
    """A vote under way, of an election whose id is of years ago or to come."""
    election = b.election
    if (
        election is None
        or election.phase not in _VOTING
        or b.status is not Status.ACTUAL
        or isinstance(b.body, ElectionCalendar)
    ):
        return
    if any(phrases.OFF.search(f"{info.headline} {info.summary}") for info in b.info):
        return  # it was put off, and says so
    year = int(election.id.split("-")[2])
    if abs(year - b.issued.year) > 1 or (
        election.polling_first is not None and abs(year - election.polling_first.year) > 1
    ):
        yield Violation(
            "phase",
            "$.election.id",
            f"{election.phase} in {b.issued.year}, and {election.id} is of {year}; mend the id, or the phase",
        )


def origin(b: Bulletin) -> Iterator[Violation]:
    """Domestic manipulation by actors of other countries alone, or for a state; and the other way round."""
    if not isinstance(b.body, Fimi) or b.attribution is None or b.issuer.country in ("EU", "INT"):
        return
    said = b.body.origin
    countries = {actor.country for actor in b.attribution.actors if actor.country}
    if said == "domestic" and countries and b.issuer.country not in countries:
        yield Violation(
            "attribution",
            "$.body.origin",
            f"domestic, and all who act are of {', '.join(sorted(countries))}; write foreign or mixed",
        )
    elif said == "foreign" and countries == {b.issuer.country} and not (_for_others(b) or b.body.aligned):
        yield Violation(
            "attribution",
            "$.body.origin",
            f"foreign, and all who act are of {b.issuer.country}; write domestic or mixed",
        )


def of_itself(b: Bulletin) -> Iterator[Violation]:
    """Who speaks, and names himself as who acts."""
    me = {each.casefold() for each in (b.issuer.id, b.issuer.name) if each}
    for n, actor in enumerate(b.attribution.actors if b.attribution is not None else ()):
        if me & {actor.name.casefold(), *(alias.casefold() for alias in actor.aliases)}:
            yield Violation(
                "attribution", f"$.attribution.actors[{n}].name", f"{actor.name} is the issuer; name who acts"
            )


def over(b: Bulletin) -> Iterator[Violation]:
    """A calendar of a vote to come, whose polls have closed."""
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
    """A person who is listed before being born."""
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
    """Whether some who act are of those who do so for others."""
    return b.attribution is not None and any(
        actor.kind in ("proxy", "contractor", "influencer", "mercenary-group", "unknown")
        for actor in b.attribution.actors
    )
