"""What stands after a revocation, against a reference that looks at every descent there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission.branches import ReceivedLink, ended_first, standing
from bus.trust.revocations import Ending
from tests.support.world import NOW

HOUR = dt.timedelta(hours=1)
OLD, NEW = "old key", "new key"
SINCE = {OLD: Ending(since=NOW)}


def link(
    digest: str,
    seq: int,
    prev: str | None,
    kid: str = OLD,
    hours: int = 1,
    channel: str = "xa-csirt/actual",
    dated: int = 0,
) -> ReceivedLink:
    """A link received, and dated, some hours after the theft."""
    return ReceivedLink(
        channel=channel,
        seq=seq,
        digest=digest,
        prev=prev,
        kid=kid,
        received_at=NOW + hours * HOUR,
        issued=NOW + dated * HOUR,
    )


# One chain of an authority: two heard in time, one honest but heard late, then the thief's, or the owner's new key.
BEFORE = [link("a", 1, None, hours=-9), link("b", 2, "a", hours=-8)]
LATE = link("c", 3, "b")
THIEF = [link("t4", 4, "c"), link("t5", 5, "t4")]

CASES: dict[str, tuple[list[ReceivedLink], set[str]]] = {
    "heard in time": (BEFORE, set()),
    "heard at that very moment": ([link("a", 1, None, hours=0)], {"a"}),
    "heard late, with nothing after it": ([*BEFORE, LATE], {"c"}),
    "the thief's branch on top": ([*BEFORE, LATE, *THIEF], {"c", "t4", "t5"}),
    "the owner goes on from the last honest one": (
        [*BEFORE, LATE, *THIEF, link("o4", 4, "c", NEW)],
        {"t4", "t5"},
    ),
    "the owner goes on from before what was late": (
        [*BEFORE, LATE, *THIEF, link("o3", 3, "b", NEW)],
        {"c", "t4", "t5"},
    ),
    "a hole before the owner's": ([*BEFORE, LATE, link("o5", 5, "o4", NEW)], {"c"}),
    "the hole is filled": ([*BEFORE, LATE, link("o4", 4, "c"), link("o5", 5, "o4", NEW)], set()),
    "what was heard in time vouches for what it continues": (
        [link("a", 1, None, hours=5), link("b", 2, "a", hours=-1)],
        set(),
    ),
    "the number after it, naming another": ([LATE, link("o4", 4, "x", NEW)], {"c"}),
    "its digest named from two numbers on": ([LATE, link("o5", 5, "c", NEW)], {"c"}),
    "its digest named on another channel": ([LATE, link("o4", 4, "c", NEW, channel="xa-csirt/test")], {"c"}),
    "a key that nobody revoked": ([link("a", 1, None, NEW), link("b", 2, "a", NEW)], set()),
}


@pytest.mark.parametrize(("links", "fallen"), CASES.values(), ids=CASES)
def test_what_falls(links: list[ReceivedLink], fallen: set[str]) -> None:
    """Exactly what no fact vouches for."""
    found = standing(links, SINCE)
    assert found.falls == fallen
    assert found.stands == {each.digest for each in links} - fallen


def reference(links: list[ReceivedLink], revoked: Mapping[str, Ending]) -> set[str]:
    """What stands, by walking every way from every anchor down."""
    by_name = {(each.channel, each.seq, each.digest): each for each in links}
    stands: set[str] = set()
    for each in links:
        if each.kid in revoked and each.received_at >= revoked[each.kid].since:
            continue
        at: ReceivedLink | None = each
        while at is not None:
            stands.add(at.digest)
            at = by_name.get((at.channel, at.seq - 1, at.prev)) if at.prev is not None else None
    return stands


@st.composite
def forests(draw: st.DrawFn) -> list[ReceivedLink]:
    """Links of two channels that continue one another, contradict, or leave holes."""
    made: list[ReceivedLink] = []
    for number in range(draw(st.integers(0, 14))):
        channel = draw(st.sampled_from(["one", "two"]))
        parents = [each for each in made if each.channel == channel]
        parent = draw(st.sampled_from([None, *parents]))
        seq = draw(st.integers(1, 6)) if parent is None else parent.seq + draw(st.sampled_from([1, 1, 1, 2]))
        prev = None if seq == 1 else "lost" if parent is None else parent.digest
        made.append(
            link(
                f"d{number}",
                seq,
                prev,
                draw(st.sampled_from([OLD, NEW, "third"])),
                draw(st.integers(-3, 3)),
                channel,
            )
        )
    return draw(st.permutations(made))


REVOKED = st.dictionaries(
    st.sampled_from([OLD, NEW, "third"]),
    st.integers(-3, 3).map(lambda hours: Ending(since=NOW + hours * HOUR)),
)


@given(forests(), REVOKED)
def test_the_ruling_is_the_reference(links: list[ReceivedLink], revoked: dict[str, Ending]) -> None:
    """Every link is in one of the two sets, and in the right one."""
    found = standing(links, revoked)
    assert found.stands == reference(links, revoked)
    assert found.falls == {each.digest for each in links} - found.stands


@given(forests(), REVOKED, st.data())
def test_more_links_fell_nothing_and_more_revocations_raise_nothing(
    links: list[ReceivedLink], revoked: dict[str, Ending], data: st.DataObject
) -> None:
    """So the order in which bulletins and revocations come does not matter in the end."""
    some = data.draw(
        st.lists(st.sampled_from(links), unique_by=lambda each: each.digest) if links else st.just([])
    )
    assert standing(some, revoked).stands <= standing(links, revoked).stands
    worse = {
        **revoked,
        OLD: Ending(since=min(revoked[OLD].since if OLD in revoked else NOW, NOW - HOUR)),
    }
    assert standing(links, worse).stands <= standing(links, revoked).stands


@given(forests(), REVOKED)
def test_a_thief_adds_nothing_that_stands(links: list[ReceivedLink], revoked: dict[str, Ending]) -> None:
    """However many links a revoked key adds after its end, all of them fall and no other changes."""
    thieves = {**revoked, "stolen": Ending(since=NOW)}
    branch = [
        msgspec.structs.replace(
            each, digest=f"t{each.digest}", seq=each.seq + 1, prev=each.digest, kid="stolen", received_at=NOW
        )
        for each in links
    ]
    found = standing([*links, *branch], thieves)
    assert found.stands == standing(links, revoked).stands
    assert {each.digest for each in branch} <= found.falls


# -- what only a statement has ended: dates decide --------------------------------------------------------------------

STATED = {OLD: Ending(since=NOW, by_statement=True)}
PAST = [link("a", 1, None, dated=-9), link("b", 2, "a", dated=-8)]
LATELY = [link("c", 3, "b", dated=1), link("d", 4, "c", dated=2)]

DATED: dict[str, tuple[list[ReceivedLink], set[str], set[str]]] = {
    "before it reaches, whenever received": (PAST, set(), {"a", "b"}),
    "at that very moment": ([link("a", 1, None, dated=0)], {"a"}, set()),
    "what is dated later falls": ([*PAST, *LATELY], {"c", "d"}, {"a", "b"}),
    "what is dated back after one that falls": (
        [*PAST, *LATELY, link("e", 5, "d", dated=-7)],
        {"c", "d", "e"},
        {"a", "b"},
    ),
    "dated back beside the one that falls": (
        [*PAST, *LATELY, link("c2", 3, "b", dated=-7)],
        {"c", "d"},
        {"a", "b", "c2"},
    ),
    "a forgery at an early place draws nobody with it": (
        [*PAST, link("a2", 1, None, dated=1)],
        {"a2"},
        {"a", "b"},
    ),
    "a valid key goes on from the last honest one": (
        [*PAST, *LATELY, link("o3", 3, "b", NEW, dated=3)],
        {"c", "d"},
        set(),
    ),
    "a valid key at its place leaves nothing to what is dated back, nor to what follows that": (
        [*PAST, link("c2", 3, "b", dated=-7), link("d2", 4, "c2", dated=-6), link("o3", 3, "b", NEW)],
        {"c2", "d2"},
        set(),
    ),
    "a valid key continues what fell": (
        [*PAST, *LATELY, link("o5", 5, "d", NEW, dated=3)],
        set(),
        set(),
    ),
    "beyond a hole the date alone decides": (
        [link("c", 3, "b", dated=1), link("e", 5, "d", dated=-7)],
        {"c"},
        {"e"},
    ),
}


@pytest.mark.parametrize(("links", "fallen", "by_date"), DATED.values(), ids=DATED)
def test_under_a_statement_dates_decide(
    links: list[ReceivedLink], fallen: set[str], by_date: set[str]
) -> None:
    """Never when a reader received it; and what nothing but a date vouches for is known as that."""
    for hours in (-20, 0, 20):
        heard = [msgspec.structs.replace(each, received_at=NOW + hours * HOUR) for each in links]
        for order in (heard, heard[::-1]):
            found = standing(order, STATED)
            assert found.falls == fallen
            assert found.by_date == by_date
            assert found.stands == {each.digest for each in links} - fallen


def test_a_key_whose_window_is_over_gains_nothing_from_a_statement() -> None:
    """What came after its window does not stand by a date, which a thief of an old key could choose."""
    ended = {OLD: Ending(since=NOW, by_statement=True, over=NOW + HOUR)}
    early, late = link("a", 1, None, hours=0, dated=-9), link("b", 2, "a", hours=1, dated=-8)
    found = standing([early, late], ended)
    assert found.by_date == {"a"}
    assert found.falls == {"b"}


def test_a_date_vouches_for_history_by_a_key_out_of_use_and_for_no_revoked_one() -> None:
    """A reader that comes late has the whole history; a revoked key is not raised by what may be dated back."""
    chain = [link("a", 1, None, "first"), link("b", 2, "a", "first"), link("c", 3, "b", dated=-1)]
    for revoked, fallen in ((False, set()), (True, {"a", "b"})):
        ended = {**STATED, "first": Ending(since=NOW - HOUR, revoked=revoked)}
        found = standing(chain, ended)
        assert found.falls == fallen
        assert found.by_date == {"a", "b", "c"} - fallen


@given(forests(), st.sets(st.sampled_from([OLD, NEW, "third"])), st.data())
def test_under_statements_nothing_depends_on_when_or_in_which_order_it_came(
    links: list[ReceivedLink], stolen: set[str], data: st.DataObject
) -> None:
    """Every reader that holds the same bulletins comes to the same."""
    dated = [
        msgspec.structs.replace(each, issued=NOW + data.draw(st.integers(-3, 3)) * HOUR) for each in links
    ]
    heard = [
        msgspec.structs.replace(each, received_at=NOW + data.draw(st.integers(-3, 3)) * HOUR)
        for each in data.draw(st.permutations(dated))
    ]
    ended = {kid: Ending(since=NOW, by_statement=True) for kid in stolen}
    one, other = standing(dated, ended), standing(heard, ended)
    assert (one.stands, one.falls, one.by_date) == (other.stands, other.falls, other.by_date)
    assert all(each.kid in stolen for each in dated if each.digest in one.falls)


def test_of_several_keys_the_one_that_ended_first_decides() -> None:
    """None that has not ended does, while one has."""
    ended = {OLD: Ending(since=NOW), "third": Ending(since=NOW - HOUR)}
    assert ended_first([NEW, OLD, "third"], ended) == "third"
    assert ended_first([NEW, "fourth"], ended) == NEW
    assert ended_first([], ended) == ""
