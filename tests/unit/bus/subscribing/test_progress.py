"""The moment up to which a reader has everything, for any late messages and any order of answers."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bus.subscribing.progress import FRESH_S, STUCK, Moment, Progress, reading
from bus.transport.pull_consumer import Received
from bus.transport.states import ConsumerInfo, Delivered
from tests.support.world import NOW

AHEAD_S = 40.0  # the broker's clock is so much ahead of the reader's
SPANS = st.floats(0.0, 3 * FRESH_S)


def moment(seconds: float, set_by: float = 0.0) -> Moment:
    """A present so many seconds on, by a clock that was set by so many."""
    return Moment(NOW + dt.timedelta(seconds=seconds + set_by), 1000.0 + seconds)


def received(number: int, pending: int, stored_s: float) -> Received:
    """The message that a consumer counts so, when so many are left."""
    return Received(
        subject="x",
        block=b"",
        payload=b"",
        stream_seq=number,
        consumer_seq=number,
        stored_ns=int((NOW.timestamp() + stored_s + AHEAD_S) * 1e9),
        pending=pending,
    )


def info(delivered: int, pending: int, at_s: float) -> ConsumerInfo:
    """The broker's answer about a consumer."""
    return ConsumerInfo(
        config={},
        delivered=Delivered(consumer_seq=delivered, stream_seq=delivered),
        num_pending=pending,
        ts=NOW + dt.timedelta(seconds=at_s + AHEAD_S),
    )


class Reader(RuleBasedStateMachine):
    """A stream that grows, a consumer that delivers some of it, a reader that is starved, stopped and cut off at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.stored: list[float] = []
        self.taken = 0  # of the stream
        self.progress = Progress()

    @initialize()
    def attach(self) -> None:
        """Attach from what is held: the consumer gives that once more, and counts it."""
        self.base = max(self.taken - 1, 0)
        self.given = self.taken
        self.on_its_way: list[Received] = []
        self.answers: list[tuple[Moment, ConsumerInfo]] = []
        self.progress.attach(self.taken - self.base)

    @rule()
    def cut_off(self) -> None:
        """The link is in doubt; what was on its way is gone, and so are the answers."""
        self.progress.detach()
        assert not reading([self.progress], moment(self.now), None, ("", "")).caught_up
        self.attach()

    @rule(seconds=SPANS)
    def wait(self, seconds: float) -> None:
        """Time passes, for the reader perhaps stopped."""
        self.now += seconds

    @rule(count=st.integers(1, 5))
    def store(self, count: int) -> None:
        """The stream grows, a moment after whatever was before."""
        self.now += 0.001
        self.stored += [self.now] * count

    @precondition(lambda self: self.given < len(self.stored))
    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        """The consumer gives the next ones; they lie in a buffer."""
        for _ in range(min(count, len(self.stored) - self.given)):
            self.given += 1
            left = len(self.stored) - self.given
            self.on_its_way.append(received(self.given - self.base, left, self.stored[self.given - 1]))

    @precondition(lambda self: self.on_its_way)
    @rule(count=st.integers(1, 5), seconds=SPANS)
    def take(self, count: int, seconds: float) -> None:
        """The reader takes a batch in, and needs time for it."""
        batch, self.on_its_way = self.on_its_way[:count], self.on_its_way[count:]
        self.progress.came(batch)
        self.now += seconds
        self.progress.took(batch[-1])
        self.taken += len(batch)

    @rule(seconds=SPANS)
    def ask(self, seconds: float) -> None:
        """The reader asks, the broker answers some time later, and the answer lies in a buffer."""
        asked = moment(self.now)
        self.now += seconds
        answer = info(self.given - self.base, len(self.stored) - self.given, self.now)
        self.answers.append((asked, answer))

    @precondition(lambda self: self.answers)
    @rule()
    def answer(self) -> None:
        """The answer is heard."""
        asked, answer = self.answers.pop(0)
        self.progress.look(asked, moment(self.now), answer)

    @invariant()
    def all_of_then_is_held(self) -> None:
        """All messages of the stream at the named moment have been taken in."""
        if self.progress.as_of is not None:
            seen = self.progress.as_of.tick - 1000.0
            assert all(stored > seen for stored in self.stored[self.taken :])

    @invariant()
    def a_backlog_is_no_older_than_it_is_said(self) -> None:
        """A known backlog is never reported as younger than it is."""
        state = reading([self.progress], moment(self.now), None, ("", ""))
        assert state.behind <= len(self.stored) - self.taken
        if state.behind and state.broker_ahead_s is not None and state.lag_s:
            oldest = self.now - self.stored[self.taken]
            assert state.lag_s >= oldest - abs(state.broker_ahead_s - AHEAD_S) - 1e-3

    @rule()
    def reading_all_of_it_catches_up(self) -> None:
        """Once the broker has given all and is asked again, the reader has seen all up to when it asked."""
        while self.given < len(self.stored):
            self.deliver(5)
        while self.on_its_way:
            self.take(5, 0.0)
        while self.answers:
            self.answer()
        self.ask(0.0)
        self.answer()
        assert self.progress.as_of == moment(self.now)
        state = reading([self.progress], moment(self.now), None, ("", ""))
        assert (state.behind, state.lag_s, state.caught_up, state.as_of) == (
            0,
            0.0,
            True,
            moment(self.now).at,
        )


TestReader = Reader.TestCase
TestReader.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def seen(at: Moment) -> Progress:
    """A stream of which all was seen at a moment."""
    progress = Progress()
    progress.attach(0)
    progress.look(at, at, info(0, 0, 0.0))
    return progress


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (moment(FRESH_S), True),
        (moment(FRESH_S + 1), False),
        (moment(0.0, set_by=3600.0), False),  # the machine slept, or was set on
        (moment(1.0, set_by=-3600.0), True),
        (moment(FRESH_S + 1, set_by=-3600.0), False),  # set back, and it has not looked since
    ],
    ids=["fresh", "stale", "slept", "set back", "set back and stale"],
)
def test_what_was_seen_goes_stale_by_either_clock(now: Moment, expected: bool) -> None:
    """No clock alone makes it fresh."""
    assert reading([seen(moment(0.0))], now, None, ("", "")).caught_up is expected


def test_many_streams_are_as_the_one_that_is_farthest_behind() -> None:
    """One that was never attached to counts too; without any stream nothing is missed."""
    fresh, old = seen(moment(9.0)), seen(moment(3.0))
    now = moment(10.0)
    both = reading([fresh, old], now, 1005.0, ("the bus is gone", "unreachable"))
    assert (both.attached, both.as_of, both.caught_up) == (True, moment(3.0).at, True)
    assert both.heard_at == moment(5.0).at
    assert (both.problem, both.problem_reason) == ("the bus is gone", "unreachable")
    unread = reading([fresh, None], now, None, ("", "unreachable"))
    assert (unread.attached, unread.as_of, unread.caught_up, unread.problem_reason) == (
        False,
        None,
        False,
        "",
    )
    none = reading([], now, None, ("", ""))
    assert (none.attached, none.as_of, none.caught_up) == (True, now.at, True)


def test_a_look_that_waits_is_not_replaced_by_a_later_one() -> None:
    """Under traffic without a pause each look names more than is held; the first of them comes true all the same."""
    progress = Progress()
    progress.attach(0)
    for n in range(1, 50):
        progress.look(moment(float(n)), moment(float(n)), info(n, 10, float(n)))
        progress.came([received(n, 10, float(n))])
        progress.took(received(n, 10, float(n)))
    assert progress.as_of is not None
    assert moment(49.0).tick - progress.as_of.tick < 25


def test_the_age_of_a_backlog_is_by_the_streams_own_time() -> None:
    """A broker whose clock is 40 s ahead makes nothing older; a message of yesterday is a day old."""
    progress = seen(moment(0.0))
    progress.came([received(1, 99, -86_400.0), received(2, 98, -86_000.0)])
    state = reading([progress], moment(0.0), None, ("", ""))
    assert state.behind == 100
    assert state.lag_s == pytest.approx(86_400.0)
    assert state.broker_ahead_s == pytest.approx(AHEAD_S)


def test_what_is_announced_and_never_given_puts_the_link_in_doubt() -> None:
    """After several looks; not while something is on its way or is given, and after an attach it is counted anew."""
    progress = Progress()
    progress.attach(0)

    def looks(count: int, delivered: int, pending: int) -> bool:
        for _ in range(count):
            progress.look(moment(0.0), moment(0.0), info(delivered, pending, 0.0))
        return progress.is_stuck

    assert not looks(STUCK, 3, 2)  # three are on their way
    progress.took(received(3, 2, 0.0))
    assert not looks(STUCK - 1, 3, 2)
    assert looks(1, 3, 2)
    progress.attach(0)
    assert not looks(STUCK - 1, 0, 2)
    progress.took(received(1, 1, 0.0))
    assert not looks(STUCK - 1, 1, 1)
    assert not looks(1, 1, 0)
    assert not looks(STUCK - 1, 1, 1)
