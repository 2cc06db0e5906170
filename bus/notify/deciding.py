"""What interrupts, by which rules it is told, and with what it is told together. Pure.

Interrupts are few and named here; all else waits for a digest. What is told together is an incident, else a thread, else what one
authority says of one kind; bulletins of two markings are never told together, as a channel may carry the one and not the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection

from bus.notify.shape import OF_BULLETINS, Item, Own, Rule, Sort
from schemas.vocab import TLP_RANK

BROKEN_TRUST = frozenset({"fork", "split"})
"""Alarms that say that an authority contradicts itself: two signed words in one place."""
QUARTER = 0.25
GRAVEST, UNION = "p1", "EU"


def why_interrupt(item: Item, own: Own, now: dt.datetime) -> str | None:
    """Why something interrupts people; None where it waits.

    Args:
        item: what has happened; the rule that is asked for sees it.
        own: who is told.
        now: the present, aware.
    """
    if item.sort is Sort.BULLETIN:
        if item.is_over:
            return None
        if item.priority == GRAVEST:
            return "priority 1"
        if item.priority == "p2" and item.is_vote and is_ours(item, own):
            return "priority 2 during the vote"
        return None
    if item.sort is Sort.DUE:
        return "acknowledgement due" if is_nearly_due(item.start, item.due, now) else None
    if item.sort is Sort.CHANNEL:
        if item.kind in BROKEN_TRUST:
            return "trust lost"
        if item.kind == "blind":
            return "this hub is blind"
        return "own channel silent" if item.kind == "silent" and item.issuer in own.channels_of else None
    always = {Sort.TRUST: "trust lost", Sort.APPROVAL: "approval asked", Sort.MISSED: "events missed"}
    return always.get(item.sort)


def is_ours(item: Item, own: Own) -> bool:
    """Whether a bulletin is about one's own country or election."""
    return own.country in item.areas or item.election_country in (own.country, UNION)


def is_nearly_due(start: dt.datetime | None, due: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether no more than a quarter of a time is left, and something of it is."""
    if start is None or due is None or due <= now:
        return False
    return due - now <= QUARTER * (due - start)


def sees(rule: Rule, item: Item, audiences: Collection[str]) -> bool:
    """Whether a rule may see something at all.

    Args:
        rule: the rule.
        item: what has happened.
        audiences: what the identity reads.
    """
    if TLP_RANK[item.tlp] > TLP_RANK[rule.ceiling]:
        return False
    if not item.audience:
        return True
    return item.audience in audiences and (not rule.audiences or item.audience in rule.audiences)


def is_asked_for(rule: Rule, item: Item, matches: Callable[[Rule], bool]) -> bool:
    """Whether a rule asks for something that it may see.

    What is no bulletin has no text and no kind: a rule that asks for these does not get it, one that asks for countries or
    issuers gets what is theirs.

    Args:
        rule: the rule.
        item: what has happened.
        matches: whether the bulletin is one that the rule's filter asks for.
    """
    if item.is_exercise and not rule.exercises:
        return False
    if item.sort in OF_BULLETINS:
        return matches(rule)
    asked = rule.selection
    if asked.is_any:
        return True
    fields = {name for name in asked.__struct_fields__ if getattr(asked, name)}
    if not fields <= {"country", "issuer"}:
        return False
    return (not asked.country or item.country in asked.country) and (
        not asked.issuer or item.issuer in asked.issuer
    )


def way_of(rule: Rule, reason: str | None) -> str | None:
    """How a rule tells of something: `interrupt`, `told` with the others, `digest`, or not at all.

    Args:
        rule: the rule.
        reason: why it interrupts; None where it does not.
    """
    if rule.when == "digest":
        return "digest"
    if reason is not None:
        return "interrupt"
    if rule.when == "all":
        return "told"
    return "digest" if rule.hours else None


def key_of(item: Item) -> str:
    """With what something is told together: the same key, the same message."""
    if item.sort in OF_BULLETINS:
        if item.incident:
            base = f"incident {item.incident}"
        elif item.thread:
            base = f"thread {item.thread}"
        else:
            base = f"said {item.issuer} {item.kind}"
    elif item.sort in (Sort.CHANNEL, Sort.HEARD):
        base = f"alarm {item.issuer} {item.kind}"
    else:
        base = f"{item.sort} {item.about}"
    return _apart(item, base)


def is_hidden(item: Item, silent_hubs: Collection[str], *, is_hub: bool) -> bool:
    """Whether an alarm is hidden by another: a hub that is silent says it for every channel of its country.

    Args:
        item: what has happened.
        silent_hubs: the countries whose hubs are silent.
        is_hub: whether the channel is a hub's own.
    """
    return item.sort is Sort.CHANNEL and item.kind == "silent" and not is_hub and item.country in silent_hubs


def crowded_key(item: Item, *, by_issuer: bool) -> str:
    """The key of what finds no place of its own, as there are too many groups: all of its issuer, or all."""
    return _apart(item, f"crowd {item.issuer}" if by_issuer else "crowd")


def _apart(item: Item, base: str) -> str:
    """Markings and exercises stand apart."""
    return f"{item.tlp} {'exercise' if item.is_exercise else 'actual'} {base}"
