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
    # of a bulletin, and what admission found of it
    "expired": marked("expired"),
    "superseded": marked("superseded"),
    "withdrawn": marked("withdrawn"),
    "contested": marked("contested"),
    "continued": marked("continued"),
    "by-date": marked("by date"),
    "co-issuers-unconfirmed": marked("co-issuers unconfirmed"),
    "filled": marked("filled"),
    "gap": marked("gap"),
    "trimmed": marked("trimmed"),
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
