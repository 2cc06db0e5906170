"""Ties and reasons of incidents in words, the same in the terminal and on pages. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bus.hub.incidents.joining import How, Tie
from bus.hub.incidents.likeness import Reason

_HOW = {
    How.INCIDENT: "one incident",
    How.REFERENCE: "a reference",
    How.DECIDED: "a decision",
}
_WORDS = {
    "keyed-hash": "the same keyed hash",
    "mark": "the same hash, certificate or counter",
    "value": "the same observable",
    "host": "the same host",
    "channel": "the same channel or account",
    "mention": "one names what the other holds",
    "address": "the same address",
    "victim": "the same victim",
    "hashtag": "the same hashtag",
    "name": "the same name",
    "number": "the same number",
    "called": "the same name in the text",
    "label": "the same label",
    "words": "rare words in common",
    "matters": "about the same matters",
    "techniques": "several techniques in common",
    "place": "the same place",
    "election": "the same election",
    "time": "within two days",
}
_AGAINST = {
    "place": "another place",
    "election": "another election",
    "time": "days apart",
    "label": "another label",
    "office": "one office, and no reference",
}


def tie_in_words(tie: Tie) -> str:
    """By what two bulletins are tied, and who says so: `a reference (xa-emb)`."""
    return f"{_HOW[tie.how]} ({tie.by})"


def reason_in_words(reason: Reason, shown: Callable[[str], str] = lambda value: value) -> str:
    """A reason in words: what is shared, or what speaks for or against.

    Args:
        reason: of a suggestion.
        shown: how a shared value is shown.
    """
    if reason.points < 0:
        return _AGAINST[reason.why]
    words = _WORDS[reason.sort or reason.why]
    return f"{words}: {shown(reason.value)}" if reason.value else words
