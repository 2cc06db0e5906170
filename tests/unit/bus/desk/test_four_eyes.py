"""Whether a second person is needed, and how a draft goes from the desk to the hub: once, under one key."""

from __future__ import annotations

import sqlite3

import msgspec
import pytest

from bus.desk import Act, DeskError, Role, approvals, at_command_line, drafts, four_eyes, handed_on, people
from bus.desk.approvals import HOLDS_S, State
from schemas.vocab import Tlp
from tests.support.desks import NOW, bare, person


def begun(db: sqlite3.Connection, act: Act, text: bytes = b"one", tlp: Tlp = Tlp.GREEN) -> drafts.Draft:
    """A draft."""
    return drafts.begin(db, act, "a false date", text, tlp, "community")


def approved(db: sqlite3.Connection, draft: drafts.Draft, asks: Act, gives: Act) -> approvals.Approval:
    """An approval of a draft as it is."""
    return approvals.approve(db, gives, approvals.ask(db, asks, draft.n, draft.digest).n, draft.digest)


@pytest.mark.parametrize(
    ("others", "needed"),
    [
        ((), False),
        ((("bob", Role.PUBLISHER),), False),
        ((("bob", Role.APPROVER),), True),
        ((("bob", Role.ANALYST, Role.APPROVER),), True),
    ],
)
def test_a_second_person_is_needed_wherever_there_is_one(
    others: tuple[tuple[str, Role], ...], *, needed: bool
) -> None:
    """An approver's own role does not count for what that person publishes."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER, Role.APPROVER)
    for name, *roles in others:
        person(db, name, *roles)
    assert four_eyes.is_needed(db, ann) is needed


def test_no_marking_and_no_authorship_makes_a_second_person_needless() -> None:
    """An approver who may not see the draft, or has written at it, is still one: then nobody publishes it alone."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER, ceiling=Tlp.RED)
    person(db, "bob", Role.APPROVER, Role.PUBLISHER)
    draft = begun(db, ann, tlp=Tlp.RED)
    assert four_eyes.may_approve(db, draft.n, ann.at) == ()
    with pytest.raises(DeskError) as refused:
        four_eyes.hand_on(db, ann, draft.n, draft.digest)
    assert refused.value.reason == "approval-needed"
    assert four_eyes.may_approve(db, begun(db, ann).n, ann.at) == ("Name of bob",)


def test_one_who_was_let_go_is_no_second_person() -> None:
    """Then what is published alone stands in the trail as such."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER)
    person(db, "bob", Role.APPROVER)
    people.disable(db, at_command_line(NOW), "bob")
    draft = begun(db, ann)
    assert four_eyes.hand_on(db, ann, draft.n, draft.digest).approved_by == ""
    assert db.execute("SELECT count(*) FROM trail WHERE what = 'published-alone'").fetchone()[0] == 1


def test_visitors_are_two_people() -> None:
    """Of a demonstration, where nobody is listed: one asks, another approves, and that counts."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER, Role.APPROVER)
    mara, jonas = (msgspec.structs.replace(ann, who=name, is_visitor=True) for name in ("Mara", "Jonas"))
    draft = begun(db, mara)
    with pytest.raises(DeskError) as refused:
        four_eyes.hand_on(db, mara, draft.n, draft.digest)
    assert refused.value.reason == "approval-needed"
    asked = approvals.ask(db, mara, draft.n, draft.digest)
    with pytest.raises(DeskError) as refused:
        approvals.approve(db, mara, asked.n, draft.digest)
    assert refused.value.reason == "own-work"
    approvals.approve(db, jonas, asked.n, draft.digest)
    assert four_eyes.hand_on(db, mara, draft.n, draft.digest).approved_by == "Jonas"


class Office:
    """Ann writes and publishes, bob approves."""

    def __init__(self) -> None:
        self.db = bare()
        self.ann = person(self.db, "ann", Role.PUBLISHER)
        self.bob = person(self.db, "bob", Role.APPROVER)
        self.draft = begun(self.db, self.ann)
        self.approval = approved(self.db, self.draft, self.ann, self.bob)

    def hand_on(self, at: float = 0.0) -> handed_on.HandedOn:
        """By ann, some seconds later."""
        act = msgspec.structs.replace(self.ann, at=self.ann.at + at)
        return four_eyes.hand_on(self.db, act, self.draft.n, self.draft.digest)


def test_what_is_handed_on_again_keeps_its_key_and_uses_one_approval() -> None:
    """When the time of the approval has passed meanwhile, the hub is only asked what became of it."""
    office = Office()
    first = office.hand_on()
    assert office.hand_on(60) == first
    assert office.hand_on(HOLDS_S + 1) == msgspec.structs.replace(first, is_over=True)
    assert approvals.get(office.db, office.ann, office.approval.n).state is State.SPENT
    four_eyes.published(office.db, office.ann, first, "0199-one")
    four_eyes.published(office.db, office.ann, first, "0199-two")
    again = office.hand_on()
    assert (again.key, again.bulletin) == (first.key, "0199-one")
    assert drafts.get(office.db, office.ann, office.draft.n).closed_why == "published"


def test_until_the_hub_has_answered_a_draft_stands_still() -> None:
    """A refusal sets it free; so does its bulletin."""
    office = Office()
    handed = office.hand_on()
    with pytest.raises(DeskError) as refused:
        handed_on.check_answered(office.db, office.draft.n)
    assert refused.value.reason == "draft-handed-on"
    handed_on.refused(office.db, handed)
    handed_on.check_answered(office.db, office.draft.n)
    office.hand_on()
    with pytest.raises(DeskError):
        handed_on.check_answered(office.db, office.draft.n)
    four_eyes.published(office.db, office.ann, handed, "0199-one")
    handed_on.check_answered(office.db, office.draft.n)


@pytest.mark.parametrize("why", ["its time is over", "its giver is gone", "its giver approves no more"])
def test_what_the_hub_has_refused_needs_an_approval_that_holds(why: str) -> None:
    """A publisher who has it refused keeps no approval for later; another approval publishes it under the same key."""
    office, late, root = Office(), 0.0, at_command_line(NOW)
    handed = office.hand_on()
    handed_on.refused(office.db, handed)
    if why == "its time is over":
        late = HOLDS_S
    elif why == "its giver is gone":
        person(office.db, "eve", Role.APPROVER)
        people.disable(office.db, root, "bob")
    else:
        person(office.db, "eve", Role.APPROVER)
        people.change(office.db, root, "bob", roles=(Role.READER,))
    with pytest.raises(DeskError) as refused:
        office.hand_on(late)
    assert refused.value.reason == "approval-needed"
    ann, other = (
        msgspec.structs.replace(each, at=each.at + late, fresh_at=each.at + late)
        for each in (office.ann, office.bob if late else person(office.db, "ida", Role.APPROVER))
    )
    approved(office.db, office.draft, ann, other)
    again = office.hand_on(late)
    assert (again.key, again.approved_by, again.is_over) == (handed.key, other.who, False)


def test_what_was_refused_alone_needs_the_second_person_who_has_come() -> None:
    """And before there was one it could be published alone."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER)
    draft = begun(db, ann)
    handed_on.refused(db, four_eyes.hand_on(db, ann, draft.n, draft.digest))
    handed_on.refused(db, four_eyes.hand_on(db, ann, draft.n, draft.digest))
    person(db, "bob", Role.APPROVER)
    with pytest.raises(DeskError) as refused:
        four_eyes.hand_on(db, ann, draft.n, draft.digest)
    assert refused.value.reason == "approval-needed"


def test_every_version_has_a_key_of_its_own() -> None:
    """The same bytes of another draft, another version or another desk are another publication."""
    keys = set()
    for late in (0.0, 1.0):
        db = bare()
        ann = msgspec.structs.replace(person(db, "ann", Role.PUBLISHER), at=NOW + late)
        for text in (b"one", b"one", b"two"):
            draft = begun(db, ann, text)
            keys.add(four_eyes.hand_on(db, ann, draft.n, draft.digest).key)
        draft = drafts.save(db, ann, draft.n, b"three", Tlp.GREEN, "community", base=1)
        keys.add(four_eyes.hand_on(db, ann, draft.n, draft.digest).key)
    assert len(keys) == 8
    assert all(len(key) == 32 for key in keys)


@pytest.mark.parametrize("why", ["given-up", "another digest", "late"])
def test_what_was_not_approved_is_not_handed_on(why: str) -> None:
    """A draft that was given up, other bytes, an approval whose time is over."""
    office = Office()
    act, shown = office.ann, office.draft.digest
    if why == "given-up":
        drafts.close(office.db, act, office.draft.n, "given-up")
    elif why == "another digest":
        shown = "x"
    else:
        act = msgspec.structs.replace(act, at=act.at + HOLDS_S)
    with pytest.raises(DeskError) as refused:
        four_eyes.hand_on(office.db, act, office.draft.n, shown)
    wanted = {"given-up": "not-there", "another digest": "digest-differs", "late": "approval-needed"}
    assert refused.value.reason == wanted[why]


def test_what_waits_is_told_to_whom_it_waits_for() -> None:
    """To the approver while it is asked for, to its asker once it is granted, to nobody when it is used."""
    office = Office()
    assert [each.is_granted for each in four_eyes.waiting(office.db, office.ann)] == [True]
    assert four_eyes.waiting(office.db, office.bob) == ()
    other = begun(office.db, office.ann, b"another")
    approvals.ask(office.db, office.ann, other.n, other.digest)
    (found,) = four_eyes.waiting(office.db, office.bob)
    assert (found.draft, found.by, found.is_granted) == (other.n, "Name of ann", False)
    handed = office.hand_on()
    four_eyes.published(office.db, office.ann, handed, "0199-one")
    assert four_eyes.waiting(office.db, office.ann) == ()
