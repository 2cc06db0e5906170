"""The draft of an answer: nothing of it goes wider than what it answers, and it stands."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answering import answer_to, taken_back
from schemas.bodies.coordination import Feedback
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin, stamp
from schemas.errors import SchemaError
from schemas.parts import Handling
from schemas.rules import check
from schemas.vocab import TLP_RANK, FeedbackKind, MsgType, RefRel, Status, Tlp
from tests.support.world import DEFAULTS, NOW, bulletin, draft, shared_world

WORLD = shared_world()
DAY = dt.timedelta(days=1)
BODIES = {
    **{verdict: Feedback(verdict=verdict, text="As our own desk has seen.") for verdict in FeedbackKind},
    FeedbackKind.HANDOVER: Feedback(verdict=FeedbackKind.HANDOVER, handover_to="xb-emb"),
    FeedbackKind.ACTION_TAKEN: Feedback(verdict=FeedbackKind.ACTION_TAKEN, action="patch"),
    FeedbackKind.REQUEST_UPGRADE: Feedback(verdict=FeedbackKind.REQUEST_UPGRADE, relax_to=Tlp.CLEAR),
}
WAYS = st.sampled_from(
    [(Tlp.GREEN, "community"), (Tlp.AMBER, "eu-csirts"), (Tlp.AMBER_STRICT, "eu-csirts"), (Tlp.RED, "xa-hub")]
)
HANDLING = st.builds(
    Handling,
    releasable_to=st.sampled_from([(), ("XA", "XB")]),
    embargo_until=st.sampled_from([None, NOW + DAY]),
    retention_days=st.sampled_from([None, 90]),
    anonymise_source=st.booleans(),
)


def said(**changes: Any) -> Bulletin:
    """A bulletin of the CSIRT of XA."""
    return bulletin(WORLD, say=draft("A flood against results.example", **changes))


def stamped(made: Any, name: str) -> Bulletin:
    """A draft of the CSIRT of XB, as it goes out."""
    return stamp(
        made,
        issuer=WORLD.registry.issuer("xb-csirt"),
        defaults=DEFAULTS,
        seq=1,
        prev=None,
        issued=NOW,
        id=name,
    )


ID, BACK = (f"01a5adaf-a100-7000-8000-0000000000{n}" for n in ("aa", "ab"))


@given(verdict=st.sampled_from(list(FeedbackKind)), way=WAYS, handling=HANDLING, exercise=st.booleans())
def test_an_answer_goes_no_wider_than_what_it_answers(
    verdict: FeedbackKind, way: tuple[Tlp, str], handling: Handling, exercise: bool
) -> None:
    """Status, audience, marking, embargo and countries are those of the bulletin; it names its id and issuer, and stands."""
    tlp, audience = way
    as_exercise: dict[str, Any] = {"status": Status.EXERCISE, "exercise_id": "ce-2027"} if exercise else {}
    original = said(tlp=tlp, audience=audience, handling=handling, **as_exercise)
    found = stamped(answer_to(original, BODIES[verdict], NOW), ID)
    check(found)
    assert (found.status, found.audience, found.tlp) == (original.status, audience, tlp)
    assert found.handling.releasable_to == handling.releasable_to
    assert found.handling.embargo_until == handling.embargo_until
    assert [(ref.id, ref.issuer) for ref in found.references] == [(original.id, "xa-csirt")]
    assert found.expires >= original.expires
    back = stamped(taken_back(found, NOW, "We were wrong."), BACK)
    check(back)
    assert back.msg_type is MsgType.CANCEL
    assert back.references[0].rel is RefRel.CANCELS
    assert (back.status, back.audience, back.tlp) == (found.status, found.audience, found.tlp)


@pytest.mark.parametrize("tlp", Tlp)
def test_the_marking_is_narrowed_and_never_widened(tlp: Tlp) -> None:
    """To whatever is as narrow as the bulletin's, or narrower."""
    original = said(tlp=Tlp.AMBER, audience="eu-csirts")
    body = BODIES[FeedbackKind.DISPUTE]
    if TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER]:
        assert answer_to(original, body, NOW, tlp=tlp).tlp is tlp
        return
    with pytest.raises(SchemaError, match="must not be wider") as refused:
        answer_to(original, body, NOW, tlp=tlp)
    assert refused.value.reason == "wider-marking"


def test_what_programs_say_and_what_is_sealed_is_not_answered() -> None:
    """An answer in clear would tell others of it."""
    body = BODIES[FeedbackKind.DISPUTE]
    seal = Sealed(jwe="{}", recipients=("xa-hub",), inner_digest="x" * 43)
    for original in (
        msgspec.structs.replace(said(), status=Status.SYSTEM),
        msgspec.structs.replace(said(), body=seal),
    ):
        with pytest.raises(SchemaError) as refused:
            answer_to(original, body, NOW)
        assert refused.value.reason == "not-answerable"


def test_an_answer_lasts_as_long_as_what_it_answers() -> None:
    """For a day at least, and never longer than a bulletin may."""
    body = BODIES[FeedbackKind.DISPUTE]
    for days, lasts in ((-10, 1), (20, 20), (800, 399)):
        original = msgspec.structs.replace(said(), expires=NOW + days * DAY)
        assert answer_to(original, body, NOW).expires == NOW + lasts * DAY


def test_its_headline_fits_and_says_what_it_is() -> None:
    """In front of what it answers; a text that is no text is refused."""
    original = said()
    long = msgspec.structs.replace(
        original, info=(msgspec.structs.replace(original.info[0], headline="x" * 160),)
    )
    wordy = Feedback(verdict=FeedbackKind.SIGHTING, text="We saw it, too. " * 40)
    for found in (answer_to(long, BODIES[FeedbackKind.HANDOVER], NOW), answer_to(original, wordy, NOW)):
        assert len(found.info[0].headline) == 160
    told = answer_to(original, BODIES[FeedbackKind.HANDOVER], NOW).info[0].headline
    assert told.startswith("Handed over to xb-emb: ")
    assert (
        answer_to(original, BODIES[FeedbackKind.REQUEST_UPGRADE], NOW)
        .info[0]
        .headline.startswith("TLP:CLEAR is")
    )
    with pytest.raises(SchemaError, match="not valid"):
        answer_to(original, BODIES[FeedbackKind.DISPUTE], NOW, lang="no language")
    with pytest.raises(SchemaError, match="not a valid text"):
        taken_back(original, NOW, "")
