"""What people do with drafts: save, ask for approval, publish, give up. A refused form is shown again as it was typed."""

from __future__ import annotations

import sqlite3

from bus import desk
from bus.console.doing import Doing
from bus.console.errors import AgainError, RefusedError
from bus.console.page import Content
from bus.console.pages import draft_form
from bus.console.pages.hands import of_draft
from bus.console.pages.publish import number
from bus.console.pages.writing import Theirs, Writing
from bus.console.pages.writing_desk import Sent, sent_by
from bus.console.people import DeedError
from bus.desk import four_eyes, handed_on
from bus.desk.handed_on import HandedOn
from bus.hub.acting import Doubt, Outcome, Preview, Publish

MAX_TITLE = 200
UNTITLED = "–"
DONE = frozenset({"accepted", "stored", "parked"})
UNKNOWN = frozenset({"too-many-requests", "no-key", "deed-failed", "deed-malformed", "store-failed"})
"""Refusals of the hub that do not say whether it was published an earlier time."""


async def save(doing: Doing) -> str | Content:
    """Keep a version at the desk, then show it with all that is known of it.

    Raises:
        BadRequestError: the form names no draft.
    """
    sent, say = await sent_by(doing), doing.voice.say
    if sent.read.problems:
        return sent.page(problem=say("This is not saved: correct what is marked, then save again."))
    read, title = sent.read, _title(sent.fields)

    def work(db: sqlite3.Connection, act: desk.Act) -> int:
        if not sent.n:
            return desk.drafts.begin(db, act, title, read.raw, read.tlp, read.audience).n
        handed_on.check_answered(db, sent.n)
        desk.drafts.save(db, act, sent.n, read.raw, read.tlp, read.audience, base=sent.base, title=title)
        return sent.n

    try:
        n = await doing.at_desk(work)
    except DeedError as exc:
        if exc.reason == "draft-changed":
            return await _changed(doing, sent)
        if exc.reason in ("session-ended", "not-there", "desk-role", "desk-wall"):
            raise
        return sent.page(problem=say("This is not saved: %(why)s.", why=say.plain(str(exc))))
    return f"/publish/{n}"


async def give_up(doing: Doing) -> str:
    """Close a draft that is not published; its last version stays for as long as the desk keeps it.

    Raises:
        DeedError: as the desk; `draft-handed-on`.
    """
    n = number(doing.place["n"])

    def work(db: sqlite3.Connection, act: desk.Act) -> None:
        handed_on.check_answered(db, n)
        desk.drafts.close(db, act, n, "given-up")

    await doing.at_desk(work)
    return "/publish"


async def ask(doing: Doing) -> str:
    """Ask for the approval of what was shown.

    Raises:
        RefusedError: it has a fault, so nobody needs to look at it.
        HubError: the hub does not answer.
        DeedError: as the desk.
    """
    n = number(doing.place["n"])
    kept = await doing.at_desk(lambda db, act: of_draft(db, act, n))
    outcome = await doing.hub.ask(Preview(draft=kept.draft.text))
    _must_be_sound(doing, outcome)
    await doing.at_desk(lambda db, act: desk.approvals.ask(db, act, n, doing.field("digest")))
    return f"/publish/{n}#hands"


async def withdraw(doing: Doing) -> str:
    """Take back a request for approval.

    Raises:
        DeedError: as the desk.
    """
    n, request = number(doing.place["n"]), number(doing.field("request"))
    await doing.at_desk(lambda db, act: desk.approvals.withdraw(db, act, request))
    return f"/publish/{n}#hands"


async def publish(doing: Doing) -> str:
    """Use the approval and have the hub sign and publish exactly what was approved, once however often this is sent.

    Raises:
        AgainError: a person must look at it once more.
        RefusedError, HubError: as the hub; the draft stays as it is, and may be published again.
        DeedError: as the desk.
    """
    n, shown = number(doing.place["n"]), doing.field("digest")
    reviewed = doing.field("reviewed").strip()
    kept = await doing.at_desk(lambda db, act: of_draft(db, act, n))
    if kept.hands.bulletin:
        return f"/publish/{n}"
    if not kept.hands.is_unanswered:
        # What was handed on may be published by now, and would then be found to be superseded by itself.
        _must_be_sound(doing, await doing.hub.ask(Preview(draft=kept.draft.text)), reviewed=reviewed)

    def hand_on(db: sqlite3.Connection, act: desk.Act) -> tuple[HandedOn, str]:
        return four_eyes.hand_on(db, act, n, shown), act.who

    handed, who = await doing.at_desk(hand_on)
    request = Publish(
        key=handed.key,
        draft=kept.draft.text,
        digest=shown,
        by=who,
        approved_by=handed.approved_by,
        reviewed=reviewed,
        is_over=handed.is_over,
    )
    outcome = await doing.hub.ask(request)
    if outcome.state not in DONE:
        if outcome.reason not in UNKNOWN:
            await doing.at_desk(lambda db, _: handed_on.refused(db, handed))
        _must_be_sound(doing, outcome)
        raise RefusedError(" ".join(outcome.notes), reason=outcome.reason)
    await doing.at_desk(lambda db, act: four_eyes.published(db, act, handed, outcome.id))
    return f"/publish/{n}"


def _must_be_sound(doing: Doing, outcome: Outcome, *, reviewed: str = "-") -> None:
    """Refuse a draft with a fault, and, without a reason, one with doubts.

    Raises:
        RefusedError: it has a fault, or the hub refuses it.
        AgainError: a person must look at it once more.
    """
    if outcome.doubts:
        raise AgainError(" ".join(outcome.notes), path=doing.path, fields=doing.fields, doubts=outcome.doubts)
    if outcome.state == "refused":
        raise RefusedError(" ".join(outcome.notes), reason=outcome.reason)
    found = () if outcome.foreseen is None else outcome.foreseen.findings
    faults = [each for each in found if each.grade == "error"]
    if faults:
        words = "; ".join(f"{each.path.removeprefix('$.')}: {each.text}" for each in faults[:3])
        raise RefusedError(f"it has {len(faults)} faults to correct: {words}", reason="draft-faulty")
    doubts = tuple(Doubt(each.path, each.text) for each in found if each.grade == "doubt")
    if doubts and not reviewed:
        words = "a person must look at this once more, and say why it is right all the same"
        raise AgainError(words, path=doing.path, fields=doing.fields, doubts=doubts)


async def _changed(doing: Doing, sent: Sent) -> Writing:
    """Both texts, where another has saved since; what was typed stays in the form, and its next save goes over the other."""
    kept = await doing.at_desk(lambda db, act: of_draft(db, act, sent.n))
    saved = draft_form.of_draft(kept.draft.text, kept.draft.title, sent.elections)
    mine = sent.fields
    if sent.read.raw:  # as it would be written down, so that only what differs is shown
        mine = draft_form.of_draft(sent.read.raw, _title(sent.fields), sent.elections)
    differing = tuple(
        Theirs(field=field, saved=before, mine=after)
        for field, before, after in draft_form.changed(saved, mine)
    )
    return sent.page(
        version=kept.draft.version,
        their_version=kept.draft.version,
        saved_by=kept.saved_by,
        theirs=differing,
        problem=doing.voice.say(
            "%(name)s has saved a version since you began. Yours is not saved. Both texts are below.",
            name=kept.saved_by,
        ),
    )


def _title(fields: dict[str, str]) -> str:
    """What the draft is called: as its writer says, or by its headline."""
    title = fields["title"].strip() or fields["headline"].strip() or UNTITLED
    return desk.shown(title[:MAX_TITLE])[:MAX_TITLE]
