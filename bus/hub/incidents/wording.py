"""Ties and reasons of incidents in words, the same in the terminal and on pages. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bus.hub.incidents.joining import How, Tie
from bus.hub.incidents.likeness import Reason
from bus.languages import ENGLISH, Language, marked

_HOW = {
    How.INCIDENT: marked("one incident (%(by)s)"),
    How.REFERENCE: marked("a reference (%(by)s)"),
    How.DECIDED: marked("a decision (%(by)s)"),
}
_SHARED = {
    "keyed-hash": marked("the same keyed hash"),
    "mark": marked("the same hash, certificate or counter"),
    "value": marked("the same observable"),
    "host": marked("the same host"),
    "channel": marked("the same channel or account"),
    "mention": marked("one names what the other holds"),
    "address": marked("the same address"),
    "victim": marked("the same victim"),
    "hashtag": marked("the same hashtag"),
    "name": marked("the same name"),
    "number": marked("the same number"),
    "called": marked("the same name in the text"),
    "label": marked("the same label"),
    "words": marked("rare words in common"),
    "matters": marked("about the same matters"),
    "techniques": marked("several techniques in common"),
    "place": marked("the same place"),
    "election": marked("the same election"),
    "time": marked("within two days"),
    "together": marked("all that belongs to each, taken together"),
}
_AGAINST = {
    "place": marked("another place"),
    "election": marked("another election"),
    "time": marked("days apart"),
    "label": marked("another label"),
    "office": marked("one office, and no reference"),
}


def tie_in_words(tie: Tie, say: Language = ENGLISH) -> str:
    """By what two bulletins are tied, and who says so: `a reference (xa-emb)`."""
    return say(_HOW[tie.how], by=tie.by)


def reason_in_words(
    reason: Reason, shown: Callable[[str], str] = lambda value: value, say: Language = ENGLISH
) -> str:
    """A reason in words: what is shared, or what speaks for or against.

    Args:
        reason: of a suggestion.
        shown: how a shared value is shown.
        say: the language.
    """
    words = (_AGAINST if reason.points < 0 else _SHARED)[reason.sort or reason.why]
    return f"{say.plain(words)}: {shown(reason.said)}" if reason.said else say.plain(words)
