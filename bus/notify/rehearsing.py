"""What rules would have said of what has happened: the same decisions, in memory, at the times at which things happened. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from bus.notify.deciding import key_of, way_of, why_interrupt
from bus.notify.grouping import Group, due_at, is_over, joined, said
from bus.notify.hours import is_quiet, next_hour
from bus.notify.looking import Seen
from bus.notify.shape import Own, Rule, Settings


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule would have said.

    Attributes:
        rule: its name.
        channel: to where, first.
        asked_for: how many things it asks for.
        interrupts: how many of them interrupt.
        messages: how many messages there would have been, digests among them.
        in_digest: how many things wait for a digest or would have stood in one.
        held: how many are under embargo.
    """

    rule: str
    channel: str
    asked_for: int = 0
    interrupts: int = 0
    messages: int = 0
    in_digest: int = 0
    held: int = 0


def rehearsed(
    settings: Settings, own: Own, seen: Sequence[Seen], since: dt.datetime, now: dt.datetime
) -> tuple[Rehearsed, ...]:
    """What each rule would have said, without the steps to a next contact.

    Args:
        settings: the rules.
        own: who is told.
        seen: what has happened, the oldest first.
        since: when the look begins.
        now: when it ends.
    """
    return tuple(_of(rule, settings, own, seen, since, now) for rule in settings.rules.values())


def _of(
    rule: Rule, settings: Settings, own: Own, seen: Sequence[Seen], since: dt.datetime, now: dt.datetime
) -> Rehearsed:
    groups: dict[str, Group] = {}
    asked = interrupts = messages = in_digest = held = 0
    digests: list[dt.datetime] = []

    def speak(upto: dt.datetime) -> int:
        """Say what is due until a moment; one word of a group at most, and what is over is forgotten."""
        count = 0
        for key, before in list(groups.items()):
            group = before
            while (due := due_at(group, upto)) is not None and due <= upto:
                if not group.is_urgent and is_quiet(rule.quiet, settings.zone, due):
                    break
                group = said(group, due)
                count += 1
            groups[key] = group
            if is_over(group, upto, 1):
                del groups[key]
        return count

    for each in sorted(seen, key=lambda one: one.item.at):
        if rule.name not in each.rules:
            continue
        asked += 1
        if each.held_until is not None:
            held += 1
            continue
        at = each.item.at
        reason = why_interrupt(each.item, own, at)
        way = way_of(rule, reason)
        interrupts += way == "interrupt"
        if way == "digest":
            in_digest += 1
            digests.append(at)
        elif way is not None:
            messages += speak(at)
            key = key_of(each.item)
            groups[key] = joined(groups.get(key), each.item, at, urgent=way == "interrupt")
    messages += speak(now) + _digests(rule, settings.zone, digests, since, now)
    return Rehearsed(
        rule=rule.name,
        channel=rule.channels[0],
        asked_for=asked,
        interrupts=interrupts,
        messages=messages,
        in_digest=in_digest,
        held=held,
    )


def _digests(
    rule: Rule, zone: dt.tzinfo, at: Sequence[dt.datetime], since: dt.datetime, now: dt.datetime
) -> int:
    """How many digests had something in them."""
    count, last = 0, since
    while (due := next_hour(rule.hours, zone, last)) is not None and due <= now:
        count += any(last < each <= due for each in at)
        last = due
    return count
