"""Four eyes: who may approve what, when; and a machine that tries to publish without a second person."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bus.desk import Act, DeskError, Role, approvals, at_command_line, drafts, people
from bus.desk.approvals import BACK_S, HOLDS_S, MAX_OF_DRAFT, State
from bus.desk.refusals import MAX_APPROVALS
from bus.desk.sessions import FRESH_S
from schemas.codec import digest
from schemas.vocab import Tlp
from tests.support.desks import NOW, bare, person

BOTH = (Role.PUBLISHER, Role.APPROVER)


def later(act: Act, seconds: float, *, fresh: bool = True) -> Act:
    """The same person some time after, with a fresh password or without."""
    return msgspec.structs.replace(
        act, at=act.at + seconds, fresh_at=act.at + seconds if fresh else act.fresh_at
    )


class Case:
    """A draft by ann, an approval that she has asked for, and others."""

    def __init__(self) -> None:
        self.db = bare()
        self.ann = person(self.db, "ann", *BOTH)
        self.bob = person(self.db, "bob", *BOTH)
        self.carl = person(self.db, "carl", Role.APPROVER)
        self.draft = drafts.begin(self.db, self.ann, "a false date", b"one", Tlp.GREEN, "community")
        self.asked = approvals.ask(self.db, self.ann, self.draft.n, self.draft.digest)

    def approve(self, act: Act | None = None, shown: str = "") -> approvals.Approval:
        """By carl, unless another is named."""
        return approvals.approve(self.db, act or self.carl, self.asked.n, shown or self.asked.digest)

    def spend(self, act: Act | None = None, used: str = "") -> approvals.Approval:
        """By ann, unless another is named."""
        return approvals.spend(self.db, act or self.ann, self.asked.n, used or self.asked.digest)

    def save(self, act: Act, text: bytes) -> drafts.Draft:
        """Another version."""
        now = drafts.get(self.db, act, self.draft.n)
        return drafts.save(self.db, act, self.draft.n, text, Tlp.GREEN, "community", base=now.version)

    def disable(self, who: str) -> None:
        """Let somebody in no more."""
        people.disable(self.db, at_command_line(NOW), who)

    def give_up(self) -> None:
        """Let go of the draft."""
        drafts.close(self.db, self.ann, self.draft.n, "given-up")


def given_up(case: Case) -> object:
    """Approve what was let go."""
    case.give_up()
    return case.approve()


def by_one_who_is_gone(case: Case) -> object:
    """Use what somebody approved who was disabled since."""
    case.approve()
    case.disable("carl")
    return case.spend()


REFUSED: dict[str, tuple[Callable[[Case], object], str]] = {
    "one's own": (lambda case: case.approve(case.ann), "own-work"),
    "another digest": (lambda case: case.approve(shown=digest(b"two")), "digest-differs"),
    "no digest": (lambda case: case.approve(shown=" "), "digest-differs"),
    "half a character": (lambda case: case.approve(shown="\ud800"), "digest-differs"),
    "a password of six minutes ago": (
        lambda case: case.approve(later(case.carl, FRESH_S + 1, fresh=False)),
        "not-fresh",
    ),
    "by a reader": (lambda case: case.approve(person(case.db, "dora")), "desk-role"),
    "by an administrator": (
        lambda case: case.approve(person(case.db, "dora", Role.ADMINISTRATOR)),
        "desk-role",
    ),
    "by the command line": (lambda case: case.approve(at_command_line(NOW)), "desk-role"),
    "twice": (lambda case: (case.approve(), case.approve(case.bob)), "approval-over"),
    "too late": (lambda case: case.approve(later(case.carl, HOLDS_S)), "approval-over"),
    "long before it was asked for": (
        lambda case: case.approve(later(case.carl, -BACK_S - 1)),
        "approval-over",
    ),
    "after the draft was changed": (
        lambda case: (case.save(case.ann, b"two"), case.approve()),
        "approval-over",
    ),
    "by one who has written at it": (
        lambda case: (
            case.save(case.bob, b"two"),
            approvals.approve(
                case.db,
                case.bob,
                approvals.ask(case.db, case.ann, case.draft.n, digest(b"two")).n,
                digest(b"two"),
            ),
        ),
        "own-work",
    ),
    "by its author when another has asked": (
        lambda case: (
            approvals.withdraw(case.db, case.ann, case.asked.n),
            approvals.approve(
                case.db,
                case.ann,
                approvals.ask(case.db, case.bob, case.draft.n, case.draft.digest).n,
                case.draft.digest,
            ),
        ),
        "own-work",
    ),
    "after it was withdrawn": (
        lambda case: (approvals.withdraw(case.db, case.ann, case.asked.n), case.approve()),
        "approval-over",
    ),
    "after it was declined": (
        lambda case: (approvals.decline(case.db, case.bob, case.asked.n, "no"), case.approve()),
        "approval-over",
    ),
    "after the draft was given up": (given_up, "approval-over"),
    "what is not there": (
        lambda case: approvals.approve(case.db, case.carl, 99, case.asked.digest),
        "not-there",
    ),
    "withdrawn by another": (lambda case: approvals.withdraw(case.db, case.bob, case.asked.n), "not-there"),
    "declined without a reason": (
        lambda case: approvals.decline(case.db, case.bob, case.asked.n, ""),
        "text-empty",
    ),
    "asked for twice": (
        lambda case: approvals.ask(case.db, case.bob, case.draft.n, case.draft.digest),
        "approval-there",
    ),
    "asked for what was not shown": (
        lambda case: approvals.ask(case.db, case.ann, case.draft.n, digest(b"two")),
        "digest-differs",
    ),
    "asked for by an approver": (
        lambda case: approvals.ask(case.db, case.carl, case.draft.n, case.draft.digest),
        "desk-role",
    ),
    "used before it was given": (lambda case: case.spend(), "approval-over"),
    "used twice": (lambda case: (case.approve(), case.spend(), case.spend()), "approval-over"),
    "used for other bytes": (
        lambda case: (case.approve(), case.spend(used=digest(b"two"))),
        "digest-differs",
    ),
    "used too late": (lambda case: (case.approve(), case.spend(later(case.ann, HOLDS_S))), "approval-over"),
    "used by an approver": (lambda case: (case.approve(), case.spend(case.carl)), "desk-role"),
    "used after the draft was changed": (
        lambda case: (case.approve(), case.save(case.ann, b"two"), case.spend()),
        "approval-over",
    ),
    "used when who gave it is disabled": (by_one_who_is_gone, "approval-void"),
    "used when who gave it may not any more": (
        lambda case: (
            case.approve(),
            people.change(case.db, at_command_line(NOW), "carl", roles=[Role.READER]),
            case.spend(),
        ),
        "approval-void",
    ),
    "used when who gave it has taken it back": (
        lambda case: (
            case.approve(),
            approvals.decline(case.db, case.carl, case.asked.n, "I was wrong"),
            case.spend(),
        ),
        "approval-over",
    ),
}


@pytest.mark.parametrize(("tries", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_approval(tries: Callable[[Case], object], reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(DeskError) as refused:
        tries(Case())
    assert refused.value.reason == reason


def test_a_second_person_approves_and_it_is_used_once() -> None:
    """Fresh to the last second, and good to the last second."""
    case = Case()
    case.approve(later(case.carl, FRESH_S, fresh=False))
    used = case.spend(later(case.ann, HOLDS_S - 1))
    assert (used.state, used.decided_by, used.digest) == (State.SPENT, "carl", digest(b"one"))


def test_a_clock_that_is_set_back_voids_no_approval() -> None:
    """By some seconds, it is given and used all the same; by more, another can be asked for."""
    case = Case()
    case.approve(later(case.carl, -5))
    assert case.spend(later(case.ann, -BACK_S)).state is State.SPENT
    case = Case()
    before = later(case.ann, -BACK_S - 1)
    again = approvals.ask(case.db, before, case.draft.n, case.draft.digest)
    carl = later(case.carl, -BACK_S)
    assert approvals.approve(case.db, carl, again.n, case.draft.digest).state is State.APPROVED


def test_who_may_not_see_a_draft_neither_approves_nor_sees_that_it_waits() -> None:
    """Its marking is above the ceiling, or it is for others."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER, ceiling=Tlp.RED, audiences=["eu-csirts"])
    draft = drafts.begin(db, ann, "sealed", b"x", Tlp.AMBER, "eu-csirts")
    asked = approvals.ask(db, ann, draft.n, draft.digest)
    for id_, ceiling, audiences in (("bob", Tlp.GREEN, ["eu-csirts"]), ("carl", Tlp.RED, ["community"])):
        act = person(db, id_, Role.APPROVER, ceiling=ceiling, audiences=audiences)
        assert approvals.waiting(db, act) == []
        with pytest.raises(DeskError) as refused:
            approvals.approve(db, act, asked.n, draft.digest)
        assert refused.value.reason == "not-there"


def test_what_waits_is_told_until_its_time_is_over() -> None:
    """To who may approve, and to who asks."""
    case = Case()
    assert [each.n for each in approvals.waiting(case.db, case.carl)] == [case.asked.n]
    assert approvals.waiting(case.db, later(case.carl, HOLDS_S)) == []
    case.approve()
    assert approvals.waiting(case.db, case.ann) == []
    assert [each.state for each in approvals.of_draft(case.db, case.ann, case.draft.n)] == [State.APPROVED]


def test_what_one_person_asks_for_has_a_bound() -> None:
    """What is over does not count."""
    case = Case()
    for n in range(1, MAX_APPROVALS):
        draft = drafts.begin(case.db, case.ann, "x", b"%d" % n, Tlp.GREEN, "community")
        approvals.ask(case.db, case.ann, draft.n, draft.digest)
    draft = drafts.begin(case.db, case.ann, "x", b"last", Tlp.GREEN, "community")
    with pytest.raises(DeskError) as refused:
        approvals.ask(case.db, case.ann, draft.n, draft.digest)
    assert refused.value.reason == "desk-full"
    approvals.ask(case.db, later(case.ann, HOLDS_S), draft.n, draft.digest)


def test_what_is_asked_about_one_draft_has_a_bound() -> None:
    """Withdrawn ones count, for they are kept."""
    case = Case()
    approvals.withdraw(case.db, case.ann, case.asked.n)
    for _ in range(MAX_OF_DRAFT - 1):
        asked = approvals.ask(case.db, case.ann, case.draft.n, case.draft.digest)
        approvals.withdraw(case.db, case.ann, asked.n)
    with pytest.raises(DeskError) as refused:
        approvals.ask(case.db, case.ann, case.draft.n, case.draft.digest)
    assert refused.value.reason == "desk-full"


class FourEyes(RuleBasedStateMachine):
    """Three people who write, ask, approve, change and publish one draft in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.db: sqlite3.Connection = bare()
        self.acts = {id_: person(self.db, id_, *BOTH) for id_ in ("ann", "bob", "carl")}
        self.at = NOW
        self.fresh = dict.fromkeys(self.acts, NOW)
        self.disabled: set[str] = set()
        self.draft = drafts.begin(self.db, self.acts["ann"], "x", b"0", Tlp.GREEN, "community").n
        self.writers: set[str] = {"ann"}
        self.text = b"0"
        self.n = 0  # the last that was asked for
        self.asker = ""
        self.asked_at = 0.0
        self.good_by: str | None = None  # who has approved the text as it is now
        self.is_open = False
        self.published: list[tuple[bytes, str, frozenset[str], str]] = []

    who = st.sampled_from(["ann", "bob", "carl"])

    def act(self, who: str) -> Act:
        """Somebody now."""
        return msgspec.structs.replace(self.acts[who], at=self.at, fresh_at=self.fresh[who])

    @rule(who=who, n=st.integers(0, 3))
    def write(self, who: str, n: int) -> None:
        """Another text; approvals are void."""
        now = drafts.get(self.db, self.act(who), self.draft)
        if b"%d" % n == self.text:
            return
        drafts.save(self.db, self.act(who), self.draft, b"%d" % n, Tlp.GREEN, "community", base=now.version)
        self.text = b"%d" % n
        self.writers.add(who)
        self.good_by, self.is_open = None, False

    @rule(who=who)
    def ask(self, who: str) -> None:
        """For the text as it is."""
        is_there = (self.is_open or self.good_by is not None) and self.at < self.asked_at + HOLDS_S
        try:
            asked = approvals.ask(self.db, self.act(who), self.draft, digest(self.text))
        except DeskError as refused:
            assert refused.reason == "approval-there"
            assert is_there
        else:
            assert not is_there
            self.n, self.asker, self.asked_at = asked.n, who, self.at
            self.good_by, self.is_open = None, True

    @rule(who=who, shown=st.sampled_from([b"", b"0", b"1"]))
    def approve(self, who: str, shown: bytes) -> None:
        """Of what was shown; an empty text stands for what is there."""
        seen = shown or self.text
        fits = (
            self.is_open
            and self.at < self.asked_at + HOLDS_S
            and who not in self.writers | {self.asker}
            and seen == self.text
            and self.at - self.fresh[who] <= FRESH_S
        )
        try:
            approvals.approve(self.db, self.act(who), self.n, digest(seen))
        except DeskError:
            assert not fits
        else:
            assert fits
            self.good_by, self.is_open = who, False

    @rule(who=who)
    def publish(self, who: str) -> None:
        """With the last approval."""
        fits = (
            self.good_by is not None
            and self.good_by not in self.disabled
            and self.at < self.asked_at + HOLDS_S
        )
        try:
            used = approvals.spend(self.db, self.act(who), self.n, digest(self.text))
        except DeskError:
            assert not fits
        else:
            assert fits
            self.published.append((self.text, used.decided_by or "", frozenset(self.writers), used.by))
            self.good_by = None

    @rule(who=who)
    def decline(self, who: str) -> None:
        """Or take back."""
        may_take = self.is_open or self.good_by == who
        fits = may_take and self.at < self.asked_at + HOLDS_S
        try:
            approvals.decline(self.db, self.act(who), self.n, "no")
        except DeskError:
            assert not fits
        else:
            assert fits
            self.good_by, self.is_open = None, False

    @rule(who=who)
    def confirm(self, who: str) -> None:
        """A fresh password."""
        self.fresh[who] = self.at

    @rule(who=who)
    def switch(self, who: str) -> None:
        """Disable or enable somebody."""
        change = people.enable if who in self.disabled else people.disable
        change(self.db, at_command_line(self.at), who)
        self.disabled ^= {who}

    @rule(seconds=st.sampled_from([1.0, FRESH_S, FRESH_S + 1, HOLDS_S]))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.at += seconds

    @invariant()
    def two_people_stand_behind_what_was_published(self) -> None:
        """Who approved has neither written nor asked."""
        for _, by, writers, asker in self.published:
            assert by
            assert by not in writers
            assert by != asker


TestFourEyes = FourEyes.TestCase
TestFourEyes.settings = settings(max_examples=25, stateful_step_count=25)


def test_a_program_is_told_which_approvals_wait_and_no_word_of_them() -> None:
    """With the marking of the draft; what was decided, or is over, waits no more."""
    case = Case()
    (asked,) = approvals.asked(case.db, NOW)
    assert (asked.n, asked.draft, asked.tlp, asked.audience) == (
        case.asked.n,
        case.draft.n,
        Tlp.GREEN,
        "community",
    )
    assert "false date" not in str(asked)
    assert approvals.asked(case.db, case.asked.until) == []
    case.approve()
    assert approvals.asked(case.db, NOW) == []
