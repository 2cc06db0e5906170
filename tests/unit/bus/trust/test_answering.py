"""Who may read a bulletin may answer it: feedback that no grant names, where it goes, and who hears it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import PermitError
from bus.trust.answering import deaf_to, feedback_by, feedback_heard
from bus.trust.grants import granted, spoken_by
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin
from schemas.parts import Action, Deadline, Ref
from schemas.registry import Audience, AuthorityRecord, PublishGrant, ReadGrant
from schemas.subject import channel_of
from schemas.vocab import (
    TALK,
    TLP_RANK,
    Certainty,
    FeedbackKind,
    RefRel,
    Scope,
    Severity,
    Status,
    Tlp,
    Urgency,
)
from tests.support.world import NOW, bulletin, deaf_world, make_world, shared_world

WORLD = shared_world()
ANSWER = Feedback(verdict=FeedbackKind.SIGHTING, text="Seen here, too.")
WAYS = st.tuples(
    st.sampled_from([Status.ACTUAL, Status.EXERCISE, Status.SYSTEM, Status.TEST]),
    st.sampled_from(Tlp),
    st.sampled_from(["community", "eu-csirts", "eu-dpas", "xa-csirt"]),
)


def answer(by: str, **changes: Any) -> Bulletin:
    """An answer of one authority, at GREEN to the community."""
    fields = {
        "body": ANSWER,
        "references": (Ref(id="0197a1b0-0000-7000-8000-000000000001", rel=RefRel.ANSWERS),),
    }
    return msgspec.structs.replace(bulletin(WORLD, by), **{**fields, **changes})


def test_who_reads_a_channel_may_say_feedback_there_and_nothing_else() -> None:
    """A hub of the tests' world has no grant to publish to people."""
    registry = WORLD.registry
    registry.permit(answer("xa-hub"))
    assert registry.permitted(answer("xa-hub")) is not None
    other = bulletin(WORLD, "xa-hub")
    assert registry.permitted(other) is None
    with pytest.raises(PermitError, match="may publish only feedback there"):
        registry.permit(other)


PRESSING = {"urgency": Urgency.IMMEDIATE, "severity": Severity.EXTREME, "certainty": Certainty.OBSERVED}
STARTED = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "changes",
    [
        PRESSING,
        {"actions": (Action(kind="block", to=("csirt",), text="Block the address."),)},
        {"deadlines": (Deadline(clock="gdpr-33", started=STARTED, due=STARTED + dt.timedelta(hours=72)),)},
    ],
    ids=["it would wake somebody", "it asks for an action", "it starts a clock"],
)
def test_feedback_that_presses_others_needs_a_grant(changes: dict[str, Any]) -> None:
    """An authority that only reads presses nobody; one that has a grant for feedback says it as urgently as it is."""
    with pytest.raises(PermitError, match="feedback of low priority without actions and deadlines"):
        WORLD.registry.permit(answer("xa-hub", **changes))
    assert WORLD.registry.permitted(answer("xa-hub", **changes)) is None
    WORLD.registry.permit(answer("xa-hub", **{**PRESSING, "urgency": Urgency.FUTURE}))
    WORLD.registry.permit(answer("xa-csirt", **PRESSING))


@pytest.mark.parametrize(
    "changes",
    [{"audience": "eu-dpas", "tlp": Tlp.AMBER_STRICT}, {"tlp": Tlp.AMBER}, {"status": Status.SYSTEM}],
    ids=["an audience withheld from it", "a marking it does not read", "what programs say"],
)
def test_who_does_not_read_a_channel_says_no_feedback_there(changes: dict[str, Any]) -> None:
    """The right to answer reaches as far as reading does."""
    with pytest.raises(PermitError):
        WORLD.registry.permit(answer("xb-hub", **changes))


def test_feedback_by_reading_is_told_from_feedback_by_grant() -> None:
    """Readers hold the first to a smaller rate."""
    assert WORLD.registry.needs_reading(answer("xa-hub"))
    assert not WORLD.registry.needs_reading(answer("xa-csirt"))


def record(reads: set[Any], says: set[Any], keys: bool = True) -> AuthorityRecord:
    """A record with a grant for each way."""
    known = WORLD.registry.document.authorities["xa-csirt"]
    return msgspec.structs.replace(
        known,
        keys=known.keys if keys else {},
        read=tuple(ReadGrant(statuses=(s,), tlps=(t,), audiences=(a,)) for s, t, a in reads),
        publish=tuple(
            PublishGrant(statuses=(s,), tlps=(t,), audiences=(a,), kinds=("*",), areas=("*",))
            for s, t, a in says
        ),
    )


@given(reads=st.sets(WAYS, max_size=6), says=st.sets(WAYS, max_size=6), others=st.sets(WAYS, max_size=6))
def test_feedback_goes_where_one_reads_what_another_says(
    reads: set[Any], says: set[Any], others: set[Any]
) -> None:
    """And nowhere wider: each way is one of the reader's own grants, and none is what programs use."""
    names = {
        "xa-csirt": record(reads, says),
        "xb-csirt": record(set(), others),
        "xa-mute": record(reads, set(), keys=False),
    }
    document = msgspec.structs.replace(WORLD.registry.document, authorities=names)
    found = feedback_by(document)
    there = {
        way for way in granted(names["xa-csirt"].read) & spoken_by(names["xb-csirt"]) if way[0] not in TALK
    }
    deaf = deaf_to("xb-csirt", names["xb-csirt"], document.audiences)
    alone = {(status, tlp, "xb-csirt") for status, tlp, audience in there if (status, tlp, audience) in deaf}
    assert found.get("xa-csirt", frozenset()) == there | alone
    assert "xa-mute" not in found


@given(
    reads=st.sets(WAYS, max_size=6),
    says=st.sets(WAYS, max_size=6),
    others=st.sets(WAYS, max_size=6),
    is_member=st.booleans(),
)
def test_every_author_hears_the_answers_of_every_reader(
    reads: set[Any], says: set[Any], others: set[Any], is_member: bool
) -> None:
    """On the channel of its bulletin, or by its id; and what comes by its id at AMBER or above nobody else may read."""
    names = {"xa-csirt": record(reads, says), "xb-csirt": record(others, set())}
    members = ("xa-csirt",) if is_member else ()
    audiences = {
        name: Audience(scope=Scope.UNION, members=members) for name in ("community", "eu-csirts", "eu-dpas")
    }
    document = msgspec.structs.replace(WORLD.registry.document, authorities=names, audiences=audiences)
    answers = feedback_by(document).get("xb-csirt", frozenset())
    hears = feedback_heard("xa-csirt", names["xa-csirt"], audiences) | granted(names["xa-csirt"].read)
    for status, tlp, audience in granted(names["xb-csirt"].read) & spoken_by(names["xa-csirt"]):
        if status not in TALK:
            by_id = (status, tlp, "xa-csirt")
            assert {(status, tlp, audience), by_id} & answers & hears
            assert (status, tlp, audience) in hears or TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER]


@given(reads=st.sets(WAYS, max_size=6), says=st.sets(WAYS, max_size=6), is_member=st.booleans())
def test_an_author_hears_feedback_where_it_speaks_and_may_know_what_is_said(
    reads: set[Any], says: set[Any], is_member: bool
) -> None:
    """Never at RED, whose subjects tell no kind; at AMBER and above as a member alone, or by its id; where it reads it hears all."""
    members = ("xa-csirt",) if is_member else ()
    audiences = {
        name: Audience(scope=Scope.UNION, members=members) for name in ("community", "eu-csirts", "eu-dpas")
    }
    mine = record(reads, says)
    for status, tlp, audience in feedback_heard("xa-csirt", mine, audiences):
        assert status not in TALK
        assert (status, tlp, audience) not in granted(mine.read)
        if audience == "xa-csirt":
            assert any(way[:2] == (status, tlp) for way in spoken_by(mine))
            continue
        assert (status, tlp, audience) in spoken_by(mine)
        assert tlp in (Tlp.CLEAR, Tlp.GREEN) or (tlp is not Tlp.RED and is_member and audience in audiences)


def test_an_author_that_reads_nothing_hears_the_answers() -> None:
    """It may not read the channel of another for that."""
    registry: VerifiedRegistry = WORLD.registry
    channel = channel_of(answer("xa-hub"))
    assert registry.hears_answers("xa-csirt", channel)
    assert not registry.may_read("xa-csirt", channel)
    assert not registry.hears_answers("xa-csirt", channel_of(answer("xa-hub", tlp=Tlp.AMBER)))


def test_who_is_told_by_its_id_is_who_hears_nothing_where_it_speaks() -> None:
    """By those who may answer there; and such an answer is permitted, and nothing else to that id."""
    registry = deaf_world(NOW, Tlp.RED).registry
    there = channel_of(answer("xa-csirt", tlp=Tlp.RED, audience="eu-advisers"))
    assert registry.is_told_alone("xa-hub", "xa-csirt", there)
    assert not registry.is_told_alone("xb-hub", "xa-csirt", there)
    assert not registry.is_told_alone("xa-hub", "xb-csirt", there)
    assert not registry.is_told_alone("xa-hub", "xa-csirt", channel_of(answer("xa-csirt")))
    said = msgspec.structs.replace(
        answer("xa-hub", tlp=Tlp.RED, audience="xa-csirt"), issuer=registry.issuer("xa-hub")
    )
    registry.permit(said)
    with pytest.raises(PermitError):
        registry.permit(msgspec.structs.replace(said, body=bulletin(WORLD, "xa-csirt").body))


def test_who_reads_and_speaks_at_one_place_speaks_by_its_grant() -> None:
    """Reading opens what no grant does, and an author hears where it speaks and does not read."""
    registry = make_world(NOW, "xb-csirt").registry
    green, clear = (Status.ACTUAL, Tlp.GREEN, "community"), (Status.ACTUAL, Tlp.CLEAR, "public")
    assert green in registry.granted_prefixes("xb-csirt")
    assert green not in registry.feedback_prefixes("xb-csirt")
    assert clear in registry.feedback_prefixes("xb-csirt")
    assert green in registry.heard_prefixes("xa-csirt")
    assert green not in registry.heard_prefixes("xb-csirt")
    said = answer("xa-csirt")
    mine = msgspec.structs.replace(said, issuer=registry.issuer("xb-csirt"))
    assert not registry.needs_reading(mine)
    assert registry.needs_reading(msgspec.structs.replace(mine, tlp=Tlp.CLEAR, audience="public"))
