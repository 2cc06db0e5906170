"""Ties in words, and sums in one spelling."""

from __future__ import annotations

import msgspec
import pytest

from schemas.bodies.foreign import Fimi, Narrative
from schemas.links import Link, Thing, told
from schemas.parts import Amount, Observable, Ref, Target, Ttp
from schemas.vocab import PersonalFlag, RefRel
from tests.support.world import bulletin, draft, shared_world

MADE = bulletin(
    shared_world(),
    say=draft(
        body=Fimi(
            scope="campaign", name="Mirror", methods=("other",), narratives=(Narrative(text="Put off"),)
        ),
        observables=(
            Observable(type="domain-name", personal=PersonalFlag.NONE, value="a.example"),
            Observable(
                type="user-account", personal=PersonalFlag.PSEUDONYMOUS, value_hmac="0" * 64, key_id="k"
            ),
        ),
        things=(Thing(kind="outlet", name="The Mirror"), Thing(kind="account")),
        ttps=(Ttp(framework="disarm", id="T0097"),),
        targets=(Target(kind="electorate", country="XA"),),
        references=(Ref(id="0196fe2f-9be0-7000-8000-00000000000a", rel=RefRel.CORROBORATES),),
        links=(Link(from_="things/1", rel="publishes", to="observables/0"),),
    ),
)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("body", "Mirror"),
        ("observables/0", "domain-name a.example"),
        ("observables/1", "user-account (keyed hash)"),
        ("things/0", "outlet The Mirror"),
        ("things/1", "account no. 1, not named"),
        ("narratives/0", "narrative: Put off"),
        ("ttps/0", "disarm T0097"),
        ("targets/0", "target XA"),
        ("references/0", "bulletin 0196fe2f-9be0-7000-8000-00000000000a"),
        ("actors/0", "actors/0"),
        ("evidence/7", "evidence/7"),
    ],
)
def test_an_end_is_told_in_words(end: str, words: str) -> None:
    """What stands there; the end itself where nothing does."""
    assert told(MADE, end) == words


@pytest.mark.parametrize("value", ["0", "12.5", "12", "0.0001", "99999999999999.9999"])
def test_a_sum(value: str) -> None:
    """Decimal text without exponent."""
    assert msgspec.convert({"value": value, "currency": "EUR"}, Amount).value == value


@pytest.mark.parametrize(
    "value", ["", "01", "12.50", "1e3", "-1", "1.", ".5", "0.0", "12\n", "1,5", "100000000000000"]
)
def test_a_sum_in_another_spelling_is_none(value: str) -> None:
    """Else one sum had two digests."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"value": value, "currency": "EUR"}, Amount)
