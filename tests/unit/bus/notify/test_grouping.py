"""When a group speaks, and when it is silent."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bus.notify.grouping import (
    MOST_SHOWN,
    MOST_WAITED,
    SILENCE,
    WAIT,
    Group,
    answered,
    due_at,
    is_over,
    is_unanswered,
    joined,
    message_of,
    passed_on,
    said,
    without,
)
from tests.unit.bus.notify.things import NOW, item

SECOND = dt.timedelta(seconds=1)
MINUTE = 60 * SECOND


def test_the_first_word_waits() -> None:
    """20 seconds from the first thing, however many follow."""
    group = joined(None, item(), NOW, urgent=True)
    assert due_at(group, NOW) == NOW + WAIT
    assert due_at(joined(group, item(about="b"), NOW + 19 * SECOND, urgent=True), NOW) == NOW + WAIT


def test_after_a_word_there_is_silence_unless_it_becomes_graver() -> None:
    """Ten minutes; graver things are told at once, no graver ones are counted."""
    group = said(joined(None, item(priority="p2"), NOW, urgent=True), NOW)
    assert due_at(group, NOW) is None
    more = joined(group, item(about="b", priority="p2"), NOW + MINUTE, urgent=True)
    assert due_at(more, NOW + MINUTE) == NOW + SILENCE
    graver = joined(more, item(about="c", priority="p1"), NOW + MINUTE, urgent=True)
    assert due_at(graver, NOW + MINUTE) == NOW + MINUTE
    assert (graver.count, message_of(graver, NOW).items[0].priority) == (3, "p1")


def test_a_clock_that_was_set_back_makes_nobody_wait() -> None:
    """How long ago the last word was is not known then."""
    group = joined(said(joined(None, item(), NOW, urgent=True), NOW), item(about="b"), NOW, urgent=True)
    assert due_at(group, NOW - 24 * 60 * MINUTE) == NOW - 24 * 60 * MINUTE


def test_unanswered_goes_to_the_next_contact() -> None:
    """After its time, once for each contact; what was answered stays where it is."""
    group = said(joined(None, item(priority="p1"), NOW, urgent=True), NOW)
    assert not is_unanswered(group, NOW + 14 * MINUTE, 900, 3)
    assert is_unanswered(group, NOW + 15 * MINUTE, 900, 3)
    assert not is_unanswered(group, NOW + 15 * MINUTE, 900, 1)
    second = passed_on(group, NOW + 15 * MINUTE)
    assert not is_unanswered(second, NOW + 16 * MINUTE, 900, 3)
    assert is_unanswered(second, NOW + 30 * MINUTE, 900, 3)
    assert not is_unanswered(passed_on(second, NOW + 30 * MINUTE), NOW + 90 * MINUTE, 900, 3)
    assert not is_unanswered(answered(group, {item().token}), NOW + 15 * MINUTE, 900, 3)


def test_what_nobody_has_answered_is_not_forgotten() -> None:
    """While a contact is left."""
    group = said(joined(None, item(priority="p1"), NOW, urgent=True), NOW)
    assert not is_over(group, NOW + SILENCE, 2)
    assert is_over(group, NOW + SILENCE, 1)
    assert is_over(answered(group, {item().token}), NOW + SILENCE, 2)


def test_what_was_erased_is_told_of_no_more() -> None:
    """Its group goes on, and counts it."""
    group = without(joined(joined(None, item(), NOW, urgent=True), item(about="b"), NOW, urgent=True), "b")
    assert ([each.about for each in group.shown], group.count) == ([item().about], 2)


@given(st.lists(st.sampled_from(["p1", "p2", "p3", "p4"]), max_size=60))
def test_a_group_is_bounded_and_shows_the_gravest(priorities: list[str]) -> None:
    """However much joins it."""
    group = Group(began=NOW)
    for n, each in enumerate(priorities):
        group = joined(group, item(about=str(n), priority=each), NOW + n * SECOND, urgent=True)
    assert len(group.shown) <= MOST_SHOWN
    assert len(group.waits) <= MOST_WAITED
    assert [each.priority for each in group.shown] == sorted(priorities)[:MOST_SHOWN]
    assert group.count == group.unsaid == len(priorities)


class Speaking(RuleBasedStateMachine):
    """Things come and time passes; whoever looks says what is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.group: Group | None = None
        self.words: list[tuple[dt.datetime, str]] = []
        self.came = self.told = 0

    @rule(priority=st.sampled_from(["p1", "p2", "p3"]))
    def comes(self, priority: str) -> None:
        """One more."""
        self.came += 1
        self.group = joined(self.group, item(about=str(self.came), priority=priority), self.now, urgent=True)

    @rule(seconds=st.sampled_from([1, 5, 20, 60, 599, 601]))
    def passes(self, seconds: int) -> None:
        """Time, with a look each second."""
        for _ in range(seconds):
            self.now += SECOND
            self.looks()

    def looks(self) -> None:
        """Say what is due, forget what is over."""
        if self.group is None:
            return
        due = due_at(self.group, self.now)
        if due is not None and due <= self.now:
            self.told += self.group.unsaid
            self.words.append((self.now, self.group.gravest))
            self.group = said(self.group, self.now)
        if is_over(self.group, self.now, 1):
            self.group = None

    @invariant()
    def words_are_far_apart_unless_graver(self) -> None:
        """Two words are ten minutes apart, or the later is graver, or it is the first of a new group."""
        for (before, gravest), (after, later) in zip(self.words, self.words[1:], strict=False):
            assert after - before >= SILENCE or later < gravest

    @precondition(lambda self: self.group is None or not self.group.unsaid)
    @invariant()
    def nothing_is_lost(self) -> None:
        """When nothing waits, all that came was counted in a word."""
        assert self.told == self.came

    @invariant()
    def nothing_waits_for_longer_than_the_silence(self) -> None:
        """What is unsaid is due within ten minutes."""
        if self.group is not None and self.group.unsaid:
            due = due_at(self.group, self.now)
            assert due is not None
            assert due - self.now <= SILENCE


TestSpeaking = Speaking.TestCase
TestSpeaking.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
