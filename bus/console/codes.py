"""Codes in words: states, roles, steps, checks and labels as pages name them; a code that has no words here stands for itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bus.languages import Language, marked

WORDS: Mapping[str, str] = {
    # of a channel
    "live": marked("live"),
    "late": marked("late"),
    "silent": marked("silent"),
    "planned": marked("planned"),
    "unheard": marked("unheard"),
    "unknown": marked("unknown"),
    # of a check
    "pass": marked("pass"),
    "fail": marked("fail"),
    "wait": marked("wait"),
    # of a bulletin
    "expired": marked("expired"),
    "superseded": marked("superseded"),
    "withdrawn": marked("withdrawn"),
    # what has happened to a bulletin since somebody looked
    "new": marked("new"),
    "updated": marked("updated"),
    "escalated": marked("escalated"),
    "in force again": marked("in force again"),
    # of the registry
    "fresh": marked("fresh"),
    "behind": marked("behind"),
    "stale": marked("stale"),
    # of a window, and parts of an election
    "open": marked("open"),
    "past": marked("past"),
    "to come": marked("to come"),
    "before": marked("before"),
    "during": marked("during"),
    "after": marked("after"),
    "none": marked("none"),
    # of people
    "reader": marked("reader"),
    "analyst": marked("analyst"),
    "duty-officer": marked("duty officer"),
    "publisher": marked("publisher"),
    "approver": marked("approver"),
    "administrator": marked("administrator"),
    "wall": marked("wall"),
    # of the life of a bulletin
    "accepted": marked("accepted"),
    "sent": marked("sent"),
    "stored": marked("stored"),
    "issued": marked("issued"),
    "admitted": marked("admitted"),
    "refused": marked("refused"),
    "erased": marked("erased"),
    "pruned": marked("pruned"),
    "waits": marked("waits"),
    "answered": marked("answered"),
    "disregarded": marked("disregarded"),
    "cancelled": marked("cancelled"),
    # of the audit trail
    "signed-in": marked("signed in"),
    "signed-in-freshly": marked("gave the password again"),
    "sign-in-failed": marked("failed to sign in"),
    "sign-in-locked": marked("is kept out after failed attempts"),
    "password-set": marked("set a password"),
    "password-changed": marked("changed the password"),
    "person-added": marked("added a person"),
    "person-changed": marked("changed a person"),
    "person-disabled": marked("set a person aside"),
    "person-enabled": marked("restored a person"),
    "token-issued": marked("issued a token for a password"),
    "let-in": marked("let a person in again"),
    "session-ended": marked("ended a session"),
    "sessions-ended": marked("ended all sessions of a person"),
    "wall-opened": marked("opened a wall screen"),
    "wall-begun": marked("began a wall screen"),
    "trail-shortened": marked("rows past their time were taken off"),
    "viewed": marked("viewed a bulletin"),
    "downloaded": marked("downloaded a bulletin"),
    "exported": marked("exported a list"),
    "searched": marked("searched"),
    "acknowledged": marked("acknowledged a bulletin"),
    "approval-asked": marked("asked for an approval"),
    "approval-declined": marked("declined an approval"),
    "approval-used": marked("used an approval"),
    "approval-withdrawn": marked("withdrew a request for approval"),
    "approved": marked("approved a draft"),
    "decision-undone": marked("undid a decision"),
    "draft-begun": marked("began a draft"),
    "draft-closed": marked("closed a draft"),
    "handed-over": marked("handed over"),
    "incident-decided": marked("decided about an incident"),
    "journal-written": marked("wrote into a journal"),
    "note-withdrawn": marked("withdrew a note"),
    "note-written": marked("wrote a note"),
    "snooze-ended": marked("ended a snooze"),
    "snoozed": marked("snoozed something"),
    "taken-over": marked("took over"),
    "feed-added": marked("made a feed address"),
    "feed-read": marked("read a list by a feed address"),
    "feed-ended": marked("ended a feed address"),
    # checks of readiness
    "calendar": marked("calendar"),
    "registry": marked("registry"),
    "root-keys": marked("root keys"),
    "beacon-keys": marked("beacon keys"),
    "beacon": marked("beacon"),
    "drill": marked("drill"),
    "channels": marked("channels"),
    "signing-key": marked("signing key"),
    "seal-key": marked("seal key"),
    "contacts": marked("contacts"),
}

LABELS: Mapping[str, str] = {
    "late": marked("came late"),
    "expired": marked("expired when it came"),
    "gap": marked("one before it is missing"),
    "filled": marked("came after later ones"),
    "trimmed": marked("earlier ones are not kept"),
    "continued": marked("its key has ended, a valid one continues it"),
    "by-date": marked("its key has ended"),
    "contested": marked("contradicted by its own authority"),
    "co-issuers-unconfirmed": marked("a co-issuer has not signed"),
}
"""What admission found of a bulletin, as a row names it."""


def labelled(say: Language, label: str) -> str:
    """A label of admission as a row names it."""
    return say.plain(LABELS.get(label, label))


def in_words(say: Language, code: str) -> str:
    """A code as a page names it."""
    return say.plain(WORDS.get(code, code))


def happened(say: Language, code: str, n: int) -> str:
    """How many bulletins something has happened to, by the codes of `since`."""
    match code:
        case "new":
            return say.many("%(num)s new", "%(num)s new", n)
        case "updated":
            return say.many("%(num)s updated", "%(num)s updated", n)
        case "answered":
            return say.many("%(num)s answered", "%(num)s answered", n)
        case "withdrawn":
            return say.many("%(num)s withdrawn", "%(num)s withdrawn", n)
        case "escalated":
            return say.many("%(num)s escalated", "%(num)s escalated", n)
        case _:
            return say.many("%(num)s in force again", "%(num)s in force again", n)
