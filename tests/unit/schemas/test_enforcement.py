"""The kind `enforcement`, and who says it."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from bus.trust.roles import says
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import LegalReferral
from schemas.codec import decode, encode
from schemas.lint import lint
from schemas.parts import Amount
from schemas.rules import violations
from schemas.subject import parse, subject_for
from schemas.vocab import EnforcementStage, LegalStage, Tlp
from tests.support.world import NOW, bulletin, draft, shared_world

DAY = NOW.date() - dt.timedelta(days=1)
OPENED = Enforcement(
    stage=EnforcementStage.PROCEEDINGS,
    addressee="Example Platform Ltd",
    addressee_kind="platform",
    provisions=("celex:32022R2065#35.1",),
    opened=DAY,
)
FINED = Enforcement(
    stage=EnforcementStage.FINE,
    addressee="Example Platform Ltd",
    addressee_kind="platform",
    provisions=("celex:32022R2065#35.1",),
    opened=DAY,
    decided=DAY,
    finding="infringement",
    fine=Amount(value="1200000", currency="EUR"),
    appeal_until=DAY + dt.timedelta(days=60),
)
DAILY = Enforcement(
    stage=EnforcementStage.PERIODIC_PENALTY,
    addressee="Example Platform Ltd",
    addressee_kind="platform",
    provisions=("celex:32022R2065#35.1",),
    decided=DAY,
    penalty_per_day=Amount(value="50000.5", currency="EUR"),
    final=True,
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (OPENED, "proceedings"),
        (FINED, f"fine of 1200000 EUR, appeal until {FINED.appeal_until}"),
        (DAILY, "periodic penalty of 50000.5 EUR a day, final"),
    ],
)
def test_it_is_read_back_and_shown_with_its_sum(body: Enforcement, words: str) -> None:
    """It breaks no rule, uses known words, its kind is a token of its subject, and a line says what it came to."""
    made = bulletin(shared_world(), say=draft(body=body))
    assert decode(encode(made)) == made
    assert (violations(made), lint(made)) == ((), ())
    assert parse(subject_for(made)).kind == "enforcement"
    assert made.headline == f"{made.info[0].headline} [{words}]"


def test_who_supervises_says_it() -> None:
    """A coordinator and a data protection authority may; a CSIRT and a ministry may not, unless a grant names it."""
    assert says("dsc", "enforcement")
    assert says("dpa", "enforcement")
    assert not says("csirt", "enforcement")
    assert not says("government-comms", "enforcement")


def test_a_sum_has_one_spelling() -> None:
    """The bytes of two equal sums are equal."""
    assert encode(bulletin(shared_world(), say=draft(body=DAILY))).count(b'"50000.5"') == 1


@pytest.mark.parametrize(
    ("tlp", "stage", "presumption", "shown"),
    [
        (Tlp.CLEAR, LegalStage.CHARGE, True, True),
        (Tlp.CLEAR, LegalStage.CONVICTION, False, False),
        (Tlp.CLEAR, LegalStage.ACQUITTAL, True, False),
        (Tlp.AMBER_STRICT, LegalStage.CHARGE, True, False),
    ],
)
def test_in_public_nobody_is_guilty_before_the_end(
    tlp: Tlp, stage: LegalStage, *, presumption: bool, shown: bool
) -> None:
    """A line about a matter of justice that goes to everybody says so, until a final conviction or an end."""
    body = LegalReferral(
        stage=stage,
        offences=("vote-buying",),
        competent="xa-court",
        judicial_secrecy=False,
        presumption=presumption,
        final=True if not presumption else None,
    )
    made = msgspec.structs.replace(bulletin(shared_world(), say=draft(body=body)), tlp=tlp)
    assert made.headline.endswith(" [presumed innocent]") is shown
