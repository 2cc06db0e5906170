"""The links that stand after a revocation, compared with a reference that walks every descent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission.branches import ReceivedLink, ending_of, keys_met, standing
from bus.trust.revocations import Ending
from tests.support.world import NOW, shared_world

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
    believed: bool = False,
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
        believed=believed,
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
    """The standing links, found by walking every way down from every anchor."""
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
    """So the order in which bulletins and revocations come makes no difference in the end."""
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
    "a valid key continues what fell": (
        [*PAST, *LATELY, link("o5", 5, "d", NEW, dated=3)],
        set(),
        set(),
    ),
    "beyond a hole nothing stands by a date": (
        [*PAST, link("d", 4, "c", dated=-7), link("e", 5, "d", dated=-6)],
        {"d", "e"},
        {"a", "b"},
    ),
    "a date continues what stands": (
        [link("a", 1, None, NEW), link("b", 2, "a", dated=-8), link("b2", 2, "x", dated=-8)],
        {"b2"},
        {"b"},
    ),
    "two dated back at one place contradict each other": (
        [*PAST, link("c", 3, "b", dated=-7), link("c2", 3, "b", dated=-6)],
        set(),
        {"a", "b", "c", "c2"},
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
    """A bulletin that came after its key's window does not stand by its date, which a thief of an old key could choose."""
    ended = {OLD: Ending(since=NOW, by_statement=True, over=NOW + HOUR)}
    early, late = link("a", 1, None, hours=0, dated=-9), link("b", 2, "a", hours=1, dated=-8)
    found = standing([early, late], ended)
    assert found.by_date == {"a"}
    assert found.falls == {"b"}


def test_a_date_vouches_for_history_by_a_key_out_of_use_and_for_no_revoked_one() -> None:
    """A reader that comes late has the whole history; a revoked key is not raised by what may be dated back."""
    chain = [link("a", 1, None, "first"), link("b", 2, "a", "first"), link("c", 3, "b", dated=-1)]
    for revoked, fallen in ((False, set()), (True, {"a", "b", "c"})):
        ended = {**STATED, "first": Ending(since=NOW - HOUR, revoked=revoked)}
        found = standing(chain, ended)
        assert found.falls == fallen
        assert found.by_date == {"a", "b", "c"} - fallen


# What a reader had before it knew of the statement, and a thief who has another key of the authority, which is valid.
HAD = [msgspec.structs.replace(each, believed=True) for each in PAST]
OUTRIGHT: dict[str, tuple[list[ReceivedLink], set[str], set[str]]] = {
    "dated before": (HAD, set(), set()),
    "without its beginning": (HAD[1:], set(), set()),
    "dated later": ([*HAD, link("c", 3, "b", dated=0, believed=True)], {"c"}, set()),
    "dated back after one that falls": (
        [*HAD, link("c", 3, "b", dated=1), link("d", 4, "c", dated=-1, believed=True)],
        {"c", "d"},
        set(),
    ),
    "dated back after one that falls, with a revoked key's in between": (
        [
            *HAD,
            link("c", 3, "b", dated=1),
            link("d", 4, "c", "gone"),
            link("e", 5, "d", dated=-1, believed=True),
        ],
        {"c", "d", "e"},
        set(),
    ),
    "a fork of the first by a valid key": ([*HAD, link("t1", 1, None, NEW)], set(), set()),
    "a fork further on by a valid key": ([*HAD, link("t2", 2, "a", NEW)], set(), set()),
    "what came in between, later": (
        [HAD[0], PAST[1], link("c", 3, "b", dated=-7, believed=True), link("t2", 2, "a", NEW)],
        set(),
        set(),
    ),
    "another at its place that comes later": ([*HAD, link("b2", 2, "a", dated=-8)], {"b2"}, set()),
    "two at one place": ([*HAD, link("b2", 2, "a", dated=-8, believed=True)], set(), set()),
    "it continues what the registry ended": (
        [link("k", 1, None, "gone"), link("l", 2, "k", dated=-8, believed=True)],
        set(),
        set(),
    ),
    "a valid key goes on from it, beside one dated back since": (
        [*HAD, link("c2", 3, "b", dated=-7), link("d2", 4, "c2", dated=-6), link("o3", 3, "b", NEW)],
        {"c2", "d2"},
        set(),
    ),
    "and on": (
        [*HAD, link("o3", 3, "b", NEW), link("o4", 4, "o3", NEW), link("d2", 4, "o3", dated=-6)],
        {"d2"},
        set(),
    ),
}


@pytest.mark.parametrize(("links", "fallen", "by_date"), OUTRIGHT.values(), ids=OUTRIGHT)
def test_what_was_had_before_the_statement_stands_outright(
    links: list[ReceivedLink], fallen: set[str], by_date: set[str]
) -> None:
    """A bulletin dated before the moment that the statement reaches to stands, and yields to no other."""
    for order in (links, links[::-1]):
        found = standing(order, {**STATED, "gone": Ending(since=NOW - 9 * HOUR)})
        assert found.falls == fallen
        assert found.by_date == by_date
        assert found.stands == {each.digest for each in links} - fallen


def test_what_came_later_yields_only_to_what_this_reader_knew_itself() -> None:
    """Otherwise a fork by another stolen key would displace history at a later reader: both stand."""
    rival = [link("c2", 3, "b", dated=-7), link("d2", 4, "c2", dated=-6)]
    for hours, fallen in ((-20, {"c2", "d2"}), (0, set()), (20, set())):
        heard = [msgspec.structs.replace(each, received_at=NOW + hours * HOUR) for each in PAST]
        found = standing([*heard, *rival, link("o3", 3, "b", NEW)], STATED)
        assert found.falls == fallen
    found = standing([*PAST, link("t1", 1, None, NEW), link("t2", 2, "t1", NEW)], STATED)
    assert found.falls == set()
    assert found.by_date == {"a", "b"}


@given(forests(), st.sets(st.sampled_from([OLD, NEW, "third"])), st.data())
def test_under_statements_nothing_depends_on_the_order_and_without_contradictions_not_on_when_it_came(
    links: list[ReceivedLink], stolen: set[str], data: st.DataObject
) -> None:
    """Every reader that holds the same bulletins comes to the same, unless two of them contradict each other."""
    dated = [
        msgspec.structs.replace(each, issued=NOW + data.draw(st.integers(-3, 3)) * HOUR) for each in links
    ]
    heard = [
        msgspec.structs.replace(each, received_at=NOW + data.draw(st.integers(-3, 3)) * HOUR)
        for each in data.draw(st.permutations(dated))
    ]
    ended = {kid: Ending(since=NOW, by_statement=True) for kid in stolen}
    one, other = standing(heard, ended), standing(heard[::-1], ended)
    assert (one.stands, one.falls, one.by_date) == (other.stands, other.falls, other.by_date)
    assert all(each.kid in stolen for each in dated if each.digest in one.falls)
    if len({(each.channel, each.seq) for each in dated}) == len(dated):
        other = standing(dated, ended)
        assert (one.stands, one.falls, one.by_date) == (other.stands, other.falls, other.by_date)


@given(forests(), st.sets(st.sampled_from([OLD, NEW])))
def test_no_valid_key_takes_what_was_had_before_the_statement(
    links: list[ReceivedLink], stolen: set[str]
) -> None:
    """A thief may add anything anywhere with a key that is still valid."""
    ended = {kid: Ending(since=NOW, by_statement=True) for kid in stolen}
    had = [msgspec.structs.replace(each, believed=True, issued=NOW - HOUR) for each in links]
    forks = [msgspec.structs.replace(each, digest=f"t{each.digest}", kid="thief's") for each in links]
    assert standing([*had, *forks], ended).falls == set()


def test_of_several_keys_those_decide_that_meet_what_is_required() -> None:
    """One valid key for each algorithm decides, regardless of other signatures; if several are required, all of them do."""
    stated, gone = Ending(since=NOW, by_statement=True), Ending(since=NOW - HOUR)
    out_of_use = Ending(since=NOW - 2 * HOUR, revoked=False)
    ended = {"stated": stated, "gone": gone, "old": out_of_use}
    assert ending_of([], ended) is None
    assert ending_of([("gone", "good")], ended) is None
    assert ending_of([("gone", "stated")], ended) == stated
    assert ending_of([("good",), ("gone",)], ended) == gone
    assert ending_of([("old",), ("gone",)], ended) == Ending(since=NOW - 2 * HOUR)
    both = Ending(since=NOW, by_statement=True, over=NOW - HOUR)
    assert ending_of([("stated",), ("gone",)], ended) == both
    early = {**ended, "stated": msgspec.structs.replace(stated, over=NOW - 3 * HOUR)}
    assert ending_of([("stated",), ("gone",)], early).over == NOW - 3 * HOUR  # type: ignore[union-attr]
    assert ending_of([("stated",), ("stated",)], ended) == stated


def test_a_statement_about_one_of_two_keys_opens_nothing_that_the_registry_closed_for_the_other() -> None:
    """A bulletin that came after the registry revoked one key does not stand by a date that its thief chose."""
    ended = {OLD: Ending(since=NOW), "other": Ending(since=NOW + 9 * HOUR, by_statement=True)}
    early, late = (
        msgspec.structs.replace(each, meets=((OLD,), ("other",)))
        for each in (link("a", 1, None, hours=-1, dated=-9), link("b", 2, "a", hours=1, dated=-8))
    )
    assert standing([early, late], ended).falls == {"b"}


def test_the_registry_says_which_keys_meet_what_it_requires() -> None:
    """By algorithm; one that is listed no more may be of any, and of an issuer that has left each key counts."""
    world = shared_world()
    mine = world.signers["xa-csirt"].kid
    assert keys_met([mine], "xa-csirt", world.registry) == ((mine,),)
    assert keys_met(["left", mine], "xa-csirt", world.registry) == ((mine,),)
    assert keys_met(["left", "too"], "xa-csirt", world.registry) == (("left", "too"),)
    assert keys_met([mine, "left"], "xz-gone", world.registry) == ((mine,), ("left",))
    assert keys_met([], "xa-csirt", world.registry) == ()
