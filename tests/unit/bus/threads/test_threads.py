"""Threads taken in and taken back in parts, against ones that are found by looking at everything."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import threads
from bus.errors import AmbiguousIdError
from bus.threads import CANCELLED, SUPERSEDED, Key, Said, Thread, Tie
from bus.threads.tables import LAYOUT
from tests.support.threads import canonical

NOW = dt.datetime(2027, 5, 23, tzinfo=dt.UTC)
NAMES = "abcdefgh"
ISSUERS = ("xa", "xb")


def key(name: str, issuer: str = "xa") -> Key:
    """A bulletin by its name."""
    return Key(name, issuer, "actual")


def said(name: str, issued: float, *, is_cancel: bool = False, issuer: str = "xa") -> Said:
    """A bulletin."""
    return Said(key(name, issuer), issued, 1, is_cancel)


def opened() -> sqlite3.Connection:
    """A file with nothing in it."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.executescript(LAYOUT.schema)
    return db


def nothing(_db: sqlite3.Connection, _keys: Sequence[Key]) -> Iterator[Said]:
    """Nothing is here of what is named."""
    yield from ()


class Bulletin:
    """One of a history: what it is, and what it names."""

    def __init__(self, n: int, issuer: str, issued: int, is_cancel: bool, targets: Sequence[int]) -> None:
        self.n = n
        self.said = said(NAMES[n], float(issued), is_cancel=is_cancel and bool(targets), issuer=issuer)
        how = CANCELLED if is_cancel else SUPERSEDED
        self.ties = [
            Tie(NAMES[target], self.said, n, how) for target in dict.fromkeys(targets) if target != n
        ]

    def __repr__(self) -> str:
        return f"{self.said} {[tie.target for tie in self.ties]}"


HISTORY = st.tuples(
    *(
        st.builds(
            Bulletin,
            st.just(n),
            st.sampled_from(ISSUERS),
            st.integers(1, 4),
            st.booleans(),
            st.lists(st.integers(0, len(NAMES) - 1), max_size=2),
        )
        for n in range(len(NAMES))
    )
)


def expected(history: Sequence[Bulletin]) -> dict[Key, tuple[str | None, str | None]]:
    """What ends each version, found by looking at everything."""
    ties = [(key(tie.target, tie.by.key.issuer), tie) for each in history for tie in each.ties]
    thread = {each.said.key: {each.said.key} for each in history}
    for target, tie in ties:
        both = thread.get(target, {target}) | thread[tie.by.key]
        thread |= dict.fromkeys(both, both)
    there = {each.said.key: each.said for each in history}
    found: dict[Key, tuple[str | None, str | None]] = {}
    for each in history:
        me = each.said.key
        together = [there[other] for other in thread[me] if other in there]
        newest = max(
            ((one.issued, one.seq, one.key.id) for one in together if not one.is_cancel), default=None
        )
        cancel = min((one.key.id for one in together if one.is_cancel), default=None)
        direct = {
            how: min((tie.by.key.id for target, tie in ties if (target, tie.how) == (me, how)), default=None)
            for how in (CANCELLED, SUPERSEDED)
        }
        if each.said.is_cancel:
            continue
        if direct[CANCELLED]:
            found[me] = (direct[CANCELLED], CANCELLED)
        elif newest is not None and newest[2] != me.id:
            found[me] = (direct[SUPERSEDED] or me.id, SUPERSEDED)
        else:
            found[me] = (cancel, CANCELLED if cancel else None)
    return found


@settings(max_examples=60, deadline=None)
@given(
    HISTORY, st.permutations(range(len(NAMES))), st.integers(1, 4), st.sets(st.integers(0, len(NAMES) - 1))
)
def test_whatever_the_order_each_bulletin_ends_as_if_all_were_looked_at(
    history: tuple[Bulletin, ...], order: list[int], size: int, gone: set[int]
) -> None:
    """In parts of any size; also when some are taken back, and come again."""
    db = opened()
    ends: dict[Key, tuple[str | None, str | None]] = {
        each.said.key: (None, None) for each in history if not each.said.is_cancel
    }

    present: dict[Key, Said] = {}

    def known(_db: sqlite3.Connection, keys: Sequence[Key]) -> Iterator[Said]:
        yield from (present[each] for each in keys if each in present)

    def take(numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), size):
            some = [history[n] for n in numbers[start : start + size]]
            present.update({each.said.key: each.said for each in some})
            named = threads.named_among(db, [each.said.key.id for each in some])
            here = [each.said for each in some if each.said.key.id in named]
            for end in threads.take_in(db, here, [tie for each in some for tie in each.ties], known):
                if end.key in ends:
                    ends[end.key] = (end.by, end.how)

    take(order)
    assert ends == expected(history)
    whole = canonical(db)
    for n in gone:
        del present[history[n].said.key]
    for end in threads.take_back(db, [(history[n].said.key, n) for n in gone]):
        if end.key in ends:
            ends[end.key] = (end.by, end.how)
    left = expected([each for each in history if each.n not in gone])
    assert {me: ends[me] for me in left} == left
    take([n for n in order if n in gone])
    assert ends == expected(history)
    assert canonical(db) == whole


def chained(db: sqlite3.Connection, count: int) -> None:
    """A thread of so many versions, each of the one before."""
    ties = [Tie(f"{n:06}", said(f"{n + 1:06}", float(n)), n, SUPERSEDED) for n in range(count)]
    for start in range(0, count, 1000):
        threads.take_in(db, (), ties[start : start + 1000], nothing)


def steps(db: sqlite3.Connection, tie: Tie) -> int:
    """How many instructions of SQLite it takes to take in one bulletin."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    db.set_progress_handler(count, 1)
    threads.take_in(db, (), [tie], nothing)
    db.set_progress_handler(None, 0)
    return counted


@pytest.mark.parametrize("how", [SUPERSEDED, CANCELLED])
def test_one_more_bulletin_of_a_long_thread_costs_no_walk(how: str) -> None:
    """Of its beginning, of its end, or of nothing but itself: a thread a hundred times as long costs a few steps more."""
    cost: dict[int, int] = {}
    for count in (50, 5000):
        db = opened()
        chained(db, count)
        by = said("x", 1e6, is_cancel=how == CANCELLED)
        db.execute("BEGIN")
        cost[count] = max(
            steps(db, Tie(f"{target:06}", said(f"x{target}", 1e6, is_cancel=by.is_cancel), 1, how))
            for target in (0, count // 2, count)
        )
    assert cost[5000] < 2 * cost[50]


def test_two_long_threads_are_joined_in_a_few_steps() -> None:
    """Whoever lets two of his threads grow, and then joins them, has nobody walk either."""
    cost = []
    for count in (50, 1500):
        db = opened()
        chained(db, count)
        ties = [Tie(f"y{n:06}", said(f"y{n + 1:06}", float(n)), n, SUPERSEDED) for n in range(count)]
        threads.take_in(db, (), ties, nothing)
        by = said("x", 1e6)
        threads.take_in(db, (), [Tie("000000", by, 1, SUPERSEDED)], nothing)
        cost.append(steps(db, Tie("y000000", by, 1, SUPERSEDED)))
        assert threads.thread_of(db, key("y000001")).living == "x"
    assert cost[1] < 2 * cost[0]


def test_a_way_to_the_top_is_short_however_the_bulletins_came() -> None:
    """Pairs, then pairs of pairs, and so on: the worst there is."""
    db, count = opened(), 256
    step = 1
    while step < count:
        for n in range(0, count, 2 * step):
            threads.take_in(
                db, (), [Tie(f"{n:06}", said(f"{n + step:06}", float(n)), n, SUPERSEDED)], nothing
            )
        step *= 2
    ups = dict(db.execute("SELECT n, up FROM threads").fetchall())

    def depth(n: int) -> int:
        return 0 if ups[n] == n else 1 + depth(ups[n])

    assert len(ups) == count
    assert max(map(depth, ups)) <= 8


STATES: dict[str, tuple[Thread, dt.timedelta | None, str]] = {
    "the first version": (
        Thread(id="a", issuer="xa", status="actual", living="a"),
        dt.timedelta(1),
        "in-force",
    ),
    "a later one": (
        Thread(id="a", issuer="xa", status="actual", living="b", versions=2),
        dt.timedelta(1),
        "updated",
    ),
    "over": (
        Thread(id="a", issuer="xa", status="actual", living="b", versions=2),
        dt.timedelta(0),
        "expired",
    ),
    "not held any more": (
        Thread(id="a", issuer="xa", status="actual", living="b", versions=2),
        None,
        "expired",
    ),
    "withdrawn, and over": (
        Thread(id="a", issuer="xa", status="actual", living="a", withdrawn_by="c"),
        dt.timedelta(0),
        "withdrawn",
    ),
}


@pytest.mark.parametrize("case", STATES)
def test_how_a_thread_stands(case: str) -> None:
    """In one word; withdrawn outranks the rest."""
    thread, left, word = STATES[case]
    assert thread.state(NOW, None if left is None else NOW + left) == word


def test_the_members_of_a_thread_are_listed_the_newest_first() -> None:
    """With cancels, and with what is known by its id alone at the end; so many at most."""
    db = opened()
    threads.take_in(
        db,
        (),
        [Tie("a", said("b", 2.0), 1, SUPERSEDED), Tie("b", said("c", 3.0, is_cancel=True), 2, CANCELLED)],
        nothing,
    )
    found = threads.in_thread(db, key("a"))
    assert [(each.id, each.is_cancel, each.issued is None) for each in found] == [
        ("c", True, False),
        ("b", False, False),
        ("a", False, True),
    ]
    assert [each.id for each in threads.in_thread(db, key("b"), 1)] == ["c"]
    thread = threads.thread_of(db, key("a"))
    assert (thread.living, thread.versions, thread.withdrawn_by) == ("b", 2, "c")


# -- beginnings of ids --------------------------------------------------------------------------------------------------

ONE, TWO = "01a5adaf-a100-7d7d-a72e-dcd5701f53a9", "01a5adaf-a100-7e00-8b6c-000000000000"


@pytest.mark.parametrize(
    ("wanted", "is_one"),
    {
        "01a": False,
        "01a5": True,
        "01A5ADAF-A100": True,
        ONE: True,
        "01a5%": False,
        f"{ONE}0": False,
        "g1a5": False,
        "": False,
    }.items(),
)
def test_what_may_be_the_beginning_of_an_id(wanted: str, is_one: bool) -> None:
    """At least four characters of one, in upper or lower case."""
    between = threads.bounds(wanted)
    assert (between is not None) == is_one
    assert between is None or between[0] <= ONE < between[1]


def test_a_beginning_means_one_bulletin_or_one_thread() -> None:
    """Of several versions of one thread it means the one that lives; of several threads it is refused, with their ids."""
    one, two = key(ONE), key(TWO)
    assert threads.meant("01a5", [], lambda each: each) is None
    assert threads.meant("01a5", [one], lambda each: each) == one
    assert threads.meant(TWO.upper(), [one, two], lambda each: each) == two
    assert threads.meant("01a5", [one, two], lambda _: two) == two
    with pytest.raises(AmbiguousIdError) as refused:
        threads.meant("01a5", [one, two], lambda each: each)
    assert (refused.value.reason, refused.value.candidates) == ("ambiguous-id", (ONE, TWO))


def test_an_id_that_another_issuer_uses_again_means_the_first() -> None:
    """Nobody can make the id of another's bulletin ambiguous."""
    assert threads.meant(ONE, [key(ONE), key(ONE, "xb")], lambda each: each) == key(ONE)
