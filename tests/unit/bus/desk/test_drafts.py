"""Drafts with their versions; handovers and acknowledgements."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bus.desk import About, Act, DeskError, Role, approvals, drafts, duty
from bus.desk import refusals as bounds
from schemas.codec import digest
from schemas.vocab import Tlp
from tests.support.desks import AMBER, GREEN, NOW, bare, person

SEES_ALL: dict[str, Any] = {"ceiling": Tlp.RED, "audiences": ("community", "eu-csirts")}
ITEM = duty.Item(duty.Left.PROMISED, GREEN, "call the office back at six")


def begun(db: sqlite3.Connection, act: Act, text: bytes = b"one") -> drafts.Draft:
    """A draft."""
    return drafts.begin(db, act, "a false date", text, Tlp.GREEN, "community")


def save(db: sqlite3.Connection, act: Act, n: int, text: bytes, base: int) -> drafts.Draft:
    """A version."""
    return drafts.save(db, act, n, text, Tlp.GREEN, "community", base=base)


def test_a_draft_is_the_very_bytes_with_their_digest() -> None:
    """Each version, whoever reads it."""
    db = bare()
    ann, bob = person(db, "ann", Role.PUBLISHER), person(db, "bob", Role.PUBLISHER)
    first = begun(db, ann, b"\x00\xff")
    assert (first.text, first.digest, first.version) == (b"\x00\xff", digest(b"\x00\xff"), 1)
    second = save(db, bob, first.n, b"two", 1)
    assert (second.version, second.by, second.person) == (2, "bob", "ann")
    assert drafts.get(db, ann, first.n, 1) == first
    assert drafts.authors(db, first.n) == {"ann", "bob"}
    assert [each.n for each in drafts.listed(db, person(db, "carl", Role.APPROVER))] == [first.n]


def test_two_who_write_at_once_do_not_undo_each_other() -> None:
    """The second is told."""
    db = bare()
    act = person(db, "ann", Role.PUBLISHER)
    n = begun(db, act).n
    save(db, act, n, b"two", 1)
    with pytest.raises(DeskError) as refused:
        save(db, act, n, b"three", 1)
    assert refused.value.reason == "draft-changed"


def test_the_same_text_is_no_new_version() -> None:
    """So saving twice keeps an approval."""
    db = bare()
    act = person(db, "ann", Role.PUBLISHER)
    draft = begun(db, act)
    approvals.ask(db, act, draft.n, draft.digest)
    assert save(db, act, draft.n, b"one", 1).version == 1
    assert len(approvals.waiting(db, act)) == 1


def test_old_versions_go_and_those_that_an_approval_names_stay() -> None:
    """So does who has written them."""
    db = bare()
    ann, bob = person(db, "ann", Role.PUBLISHER), person(db, "bob", Role.PUBLISHER)
    draft = save(db, bob, begun(db, ann).n, b"two", 1)
    approvals.ask(db, ann, draft.n, draft.digest)
    for version in range(2, bounds.MAX_VERSIONS + 5):
        save(db, ann, draft.n, b"%d" % version, version)
    kept = {row["version"] for row in db.execute("SELECT version FROM draft_versions")}
    assert kept == {2} | set(range(6, bounds.MAX_VERSIONS + 6))
    assert drafts.authors(db, draft.n) == {"ann", "bob"}


def closed_and_saved(db: sqlite3.Connection, act: Act, n: int) -> object:
    """A version after the end."""
    drafts.close(db, act, n, "given-up")
    return save(db, act, n, b"x", 1)


REFUSED: dict[str, tuple[Callable[[sqlite3.Connection, Act, int], object], str]] = {
    "too large": (
        lambda db, act, n: save(db, act, n, b"x" * (bounds.MAX_DRAFT_BYTES + 1), 1),
        "draft-too-large",
    ),
    "above the ceiling": (
        lambda db, act, n: drafts.save(db, act, n, b"x", Tlp.RED, "community", base=1),
        "above-ceiling",
    ),
    "for others": (
        lambda db, act, n: drafts.save(db, act, n, b"x", Tlp.GREEN, "eu-csirts", base=1),
        "above-ceiling",
    ),
    "not there": (lambda db, act, n: save(db, act, n + 1, b"x", 1), "not-there"),
    "a version that is not there": (lambda db, act, n: drafts.get(db, act, n, 9), "not-there"),
    "closed": (closed_and_saved, "not-there"),
    "no title": (lambda db, act, _: drafts.begin(db, act, "", b"x", Tlp.GREEN, "community"), "text-empty"),
    "one too many": (
        lambda db, act, _: [begun(db, act) for _ in range(bounds.MAX_DRAFTS)],
        "desk-full",
    ),
}


@pytest.mark.parametrize(("tries", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_draft(tries: Callable[[sqlite3.Connection, Act, int], object], reason: str) -> None:
    """Each with its reason."""
    db = bare()
    act = person(db, "ann", Role.PUBLISHER)
    n = begun(db, act).n
    with pytest.raises(DeskError) as refused:
        tries(db, act, n)
    assert refused.value.reason == reason


def test_the_bytes_of_one_persons_drafts_have_a_bound() -> None:
    """Closed ones count as long as they are kept; of those the last version is."""
    db = bare()
    act, bob = person(db, "ann", Role.PUBLISHER), person(db, "bob", Role.PUBLISHER)
    full = b"x" * bounds.MAX_DRAFT_BYTES
    draft = begun(db, act, full)
    db.executemany(
        "INSERT INTO draft_versions VALUES (?, ?, ?, '', 'ann', 0)",
        [(draft.n, 100 + n, full) for n in range(bounds.MAX_BYTES_OF_PERSON // bounds.MAX_DRAFT_BYTES - 1)],
    )
    with pytest.raises(DeskError) as refused:
        begun(db, act)
    assert refused.value.reason == "desk-full"
    begun(db, bob)
    drafts.close(db, act, draft.n, "given-up")
    assert db.execute("SELECT sum(length(text)) FROM draft_versions WHERE by = 'ann'").fetchone()[0] == len(
        full
    )
    begun(db, act)


@pytest.mark.parametrize("role", [Role.READER, Role.ANALYST, Role.DUTY, Role.ADMINISTRATOR])
def test_who_neither_publishes_nor_approves_reads_no_draft(role: Role) -> None:
    """An approver reads, and does not write."""
    db = bare()
    n = begun(db, person(db, "ann", Role.PUBLISHER)).n
    act, approver = person(db, "bob", role), person(db, "carl", Role.APPROVER)
    for refused_by in (
        lambda: drafts.get(db, act, n),
        lambda: drafts.listed(db, act),
        lambda: save(db, approver, n, b"x", 1),
        lambda: drafts.close(db, approver, n, "given-up"),
    ):
        with pytest.raises(DeskError) as refused:
            refused_by()
        assert refused.value.reason == "desk-role"


def test_a_draft_above_a_reader_is_as_if_it_were_not_there() -> None:
    """Neither listed nor read."""
    db = bare()
    ann = person(db, "ann", Role.PUBLISHER, **SEES_ALL)
    n = drafts.begin(db, ann, "x", b"x", Tlp.AMBER, "eu-csirts").n
    bob = person(db, "bob", Role.PUBLISHER)
    assert drafts.listed(db, bob) == []
    with pytest.raises(DeskError) as refused:
        drafts.get(db, bob, n)
    assert refused.value.reason == "not-there"


def test_what_was_closed_long_ago_is_forgotten_whole() -> None:
    """With its versions and approvals; an open draft stays."""
    db = bare()
    act = person(db, "ann", Role.PUBLISHER)
    old, new = begun(db, act), begun(db, act)
    approvals.ask(db, act, old.n, old.digest)
    drafts.close(db, act, old.n, "published")
    drafts.forget(db, NOW + 1)
    assert [each.n for each in drafts.listed(db, act)] == [new.n]
    left = [
        db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("draft_versions", "draft_hands", "approvals")
    ]
    assert left == [1, 1, 0]


def test_the_next_officer_signs_what_was_read() -> None:
    """Then nobody signs it again."""
    db = bare()
    ann, bob, carl = (person(db, id_, Role.DUTY) for id_ in ("ann", "bob", "carl"))
    given = duty.hand_over(db, ann, "quiet so far", [ITEM])
    (waits,) = duty.handovers(db, bob)
    assert waits == given
    taken = duty.take_over(db, bob, given.n, waits.digest)
    assert (taken.taken_by, taken.items) == ("bob", (ITEM,))
    with pytest.raises(DeskError) as refused:
        duty.take_over(db, carl, given.n, waits.digest)
    assert refused.value.reason == "handover-taken"


HANDOVERS: dict[str, tuple[Callable[[sqlite3.Connection, Act, Act, duty.Handover], object], str]] = {
    "one's own": (lambda db, ann, _, given: duty.take_over(db, ann, given.n, given.digest), "own-work"),
    "another digest": (lambda db, _, bob, given: duty.take_over(db, bob, given.n, "x"), "digest-differs"),
    "not there": (lambda db, _, bob, given: duty.take_over(db, bob, given.n + 1, given.digest), "not-there"),
    "by an analyst": (
        lambda db, _, bob, given: duty.take_over(
            db, msgspec.structs.replace(bob, roles=frozenset({Role.ANALYST})), given.n, given.digest
        ),
        "desk-role",
    ),
    "nothing at all": (lambda db, ann, _, given: duty.hand_over(db, ann, "", []), "text-empty"),
    "too many lines": (
        lambda db, ann, _, given: duty.hand_over(db, ann, "x", [ITEM] * (bounds.MAX_ITEMS + 1)),
        "desk-full",
    ),
    "a line that is too long": (
        lambda db, ann, _, given: duty.hand_over(db, ann, "x", [duty.Item(duty.Left.OPEN, GREEN, "x" * 501)]),
        "text-too-long",
    ),
    "a line about what one may not see": (
        lambda db, ann, _, given: duty.hand_over(db, ann, "x", [duty.Item(duty.Left.OPEN, AMBER, "x")]),
        "not-there",
    ),
}


@pytest.mark.parametrize(("tries", "reason"), HANDOVERS.values(), ids=HANDOVERS)
def test_what_is_no_handover(
    tries: Callable[[sqlite3.Connection, Act, Act, duty.Handover], object], reason: str
) -> None:
    """Each with its reason."""
    db = bare()
    ann, bob = person(db, "ann", Role.DUTY), person(db, "bob", Role.DUTY)
    given = duty.hand_over(db, ann, "quiet so far", [ITEM])
    with pytest.raises(DeskError) as refused:
        tries(db, ann, bob, given)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("ceiling", "audiences"), [(Tlp.GREEN, ["community", "eu-csirts"]), (Tlp.RED, ["community"])]
)
def test_nobody_signs_what_they_may_not_see(ceiling: Tlp, audiences: list[str]) -> None:
    """They see that there is one, without a word of it."""
    db = bare()
    ann = person(db, "ann", Role.DUTY, **SEES_ALL)
    given = duty.hand_over(db, ann, "words", [ITEM, duty.Item(duty.Left.OPEN, AMBER, "x")])
    bob = person(db, "bob", Role.DUTY, ceiling=ceiling, audiences=audiences)
    (seen,) = duty.handovers(db, bob)
    assert (seen.is_hidden, seen.words, seen.items, seen.digest) == (True, "", (), "")
    with pytest.raises(DeskError) as refused:
        duty.take_over(db, bob, given.n, given.digest)
    assert refused.value.reason == "above-ceiling"


def test_who_has_acknowledged_stands_beside_the_hubs_receipt() -> None:
    """Each person once; the receipt is noted beside those who had by then."""
    db = bare()
    ann, bob = person(db, "ann", Role.DUTY), person(db, "bob", Role.DUTY)
    assert [duty.acknowledge(db, ann, GREEN) for _ in range(2)] == [True, False]
    duty.note_receipt(db, GREEN.id, "0199-receipt")
    duty.acknowledge(db, bob, GREEN)
    assert duty.acknowledged(db, bob, GREEN) == [
        duty.Acknowledged("ann", NOW, "0199-receipt"),
        duty.Acknowledged("bob", NOW, ""),
    ]
    for refused_by in (lambda: duty.acknowledge(db, ann, AMBER), lambda: duty.acknowledged(db, ann, AMBER)):
        with pytest.raises(DeskError) as refused:
            refused_by()
        assert refused.value.reason == "not-there"


def test_nobody_pushes_a_handover_of_another_off_the_page() -> None:
    """One officer gives a hundred; that of another, which is older and waits for a signature, is among those that are shown first."""
    db = bare()
    ann, eve, bob = (person(db, name, Role.DUTY) for name in ("ann", "eve", "bob"))
    taken = duty.hand_over(db, eve, "long ago", [ITEM])
    duty.take_over(db, bob, taken.n, taken.digest)
    mine = duty.hand_over(db, ann, "telephone the provider", [ITEM])
    for n in range(100):
        duty.hand_over(db, eve, f"nothing {n}", [ITEM])
    shown = duty.handovers(db, bob)
    assert [each.words for each in shown[:3]] == ["nothing 99", "telephone the provider", "nothing 98"]
    assert mine.n in {each.n for each in shown}
    assert taken.n not in {each.n for each in shown}


def test_what_was_handed_over_and_acknowledged_long_ago_is_forgotten() -> None:
    """What is younger stays."""
    db = bare()
    ann = person(db, "ann", Role.DUTY)
    duty.hand_over(db, ann, "x", [])
    duty.acknowledge(db, ann, GREEN)
    later = msgspec.structs.replace(ann, at=NOW + 100)
    duty.acknowledge(db, later, About("bulletin", "0199-other", Tlp.GREEN, "community"))
    duty.forget(db, NOW + 50)
    assert duty.handovers(db, ann) == []
    assert db.execute("SELECT bulletin FROM acknowledged").fetchall()[0][0] == "0199-other"
