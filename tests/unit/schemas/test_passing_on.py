"""What a bulletin forbids: to whom it may be handed on, until when, and for how long it is kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from schemas.bulletin import Bulletin
from schemas.parts import Handling, PersonalData
from schemas.passing_on import PAP_IN_WORDS, last_day, marks, sentences, why_held
from schemas.remarks import remarks
from schemas.vocab import AttributionRule, Pap, PersonalFlag
from tests.support.world import NOW, bulletin, draft, shared_world

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
NOON = NOW + DAY


def made(pap: Pap = Pap.GREEN, **handling: Any) -> Bulletin:
    """A bulletin of XA that expires in 30 days."""
    return bulletin(shared_world(), say=draft(pap=pap, handling=Handling(**handling)))


HELD = {
    "nothing is said": ({}, NOW, None, None),
    "embargo, to nobody in particular": ({"embargo_until": NOON}, NOW, None, "embargoed"),
    "embargo, a second before its end": ({"embargo_until": NOON}, NOON - SECOND, None, "embargoed"),
    "embargo, at its end": ({"embargo_until": NOON}, NOON, None, None),
    "embargo, to its readers": ({"embargo_until": NOON}, NOW, {"XB"}, None),
    "for XB, to nobody in particular": ({"releasable_to": ("XB",)}, NOW, None, "not-releasable"),
    "for XB, to XB": ({"releasable_to": ("XB",)}, NOW, {"XB"}, None),
    "for XB, to XB and the issuer's own": ({"releasable_to": ("XB",)}, NOW, {"XA", "XB"}, None),
    "for XB, to XB and XC": ({"releasable_to": ("XB",)}, NOW, {"XB", "XC"}, "not-releasable"),
}


@pytest.mark.parametrize(("said", "now", "to", "reason"), HELD.values(), ids=HELD)
def test_what_holds_it(
    said: dict[str, Any], now: dt.datetime, to: set[str] | None, reason: str | None
) -> None:
    """An embargo holds it from strangers until its moment, the list of countries from every other country for good."""
    found = why_held(made(**said), now, to)
    assert (found and found.reason) == reason


def test_who_holds_it_says_why_in_words() -> None:
    """With the time in UTC, and the issuer's country among those that may have it."""
    held = why_held(made(embargo_until=NOON), NOW)
    assert held is not None
    assert held.text == f"is under embargo until {NOON:%Y-%m-%d %H:%M} UTC"
    released = why_held(made(releasable_to=("XB",)), NOW)
    assert released is not None
    assert released.text == "is only for authorities of XA, XB"


MARKS = {
    "nothing is forbidden": ({}, Pap.GREEN, ()),
    "look only": ({}, Pap.AMBER, ("PAP:AMBER",)),
    "unseen": ({}, Pap.RED, ("PAP:RED",)),
    "embargo": ({"embargo_until": NOON}, Pap.GREEN, (f"embargo until {NOON:%Y-%m-%d %H:%M} UTC",)),
    "an embargo that is over": ({"embargo_until": NOW}, Pap.GREEN, ()),
    "countries": ({"releasable_to": ("XB",)}, Pap.GREEN, ("XA, XB only",)),
    "source": ({"anonymise_source": True}, Pap.GREEN, ("source withheld",)),
}


@pytest.mark.parametrize(("said", "pap", "expected"), MARKS.values(), ids=MARKS)
def test_what_forbids_something_is_marked(said: dict[str, Any], pap: Pap, expected: tuple[str, ...]) -> None:
    """And nothing else."""
    assert marks(made(pap, **said), NOW) == expected


@pytest.mark.parametrize("pap", Pap)
def test_each_pap_is_said_in_words(pap: Pap) -> None:
    """A person need not know the taxonomy."""
    assert sentences(made(pap), NOW) == (f"PAP:{pap.upper()}: {PAP_IN_WORDS[pap]}",)


def test_everything_that_is_said_is_a_sentence() -> None:
    """One for each field."""
    said = made(
        embargo_until=NOON,
        releasable_to=("XB",),
        anonymise_source=True,
        attribution=AttributionRule.MUST_NOT,
        retention_days=90,
    )
    begins = [sentence.split()[0] for sentence in sentences(said, NOW)]
    assert begins == ["PAP:GREEN:", "embargo:", "only", "its", "do", "kept"]


LAST = {
    "neither": (None, None, None),
    "retention alone": (90, None, 90),
    "retention that ends before it expires": (1, None, 30),
    "personal data alone": (None, 40, 40),
    "retention first": (35, 40, 35),
    "personal data first": (60, 40, 40),
}


@pytest.mark.parametrize(("days", "personal", "expected"), LAST.values(), ids=LAST)
def test_the_last_day_is_the_earlier_and_not_before_it_expires(
    days: int | None, personal: int | None, expected: int | None
) -> None:
    """Counted from the day on which it was issued, in UTC."""
    data = None
    if personal is not None:
        data = PersonalData(
            flag=PersonalFlag.PERSONAL,
            lawful_basis="celex:32016R0679#6.1.e",
            purpose="p",
            retention_until=NOW.date() + personal * DAY,
        )
    said = msgspec.structs.replace(made(retention_days=days), personal_data=data)
    assert last_day(said) == (None if expected is None else NOW.date() + expected * DAY)


def test_what_has_no_effect_is_remarked() -> None:
    """An embargo that was over when it was issued, and a retention that ends while the bulletin holds."""
    said = made(embargo_until=NOW, retention_days=29)
    assert {each.rule for each in remarks(said)} == {"embargo", "retention"}
    assert not remarks(made(embargo_until=NOW + SECOND, retention_days=30))
