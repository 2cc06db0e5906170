"""From what has happened to what is said: one transaction that takes in, one that says. In a transaction of `notify.db`, else pure."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Collection, Iterable

from bus.notify import book, deliveries
from bus.notify.deciding import crowded_key, key_of, way_of, why_interrupt
from bus.notify.grouping import (
    SILENCE,
    Group,
    answered,
    due_at,
    is_over,
    is_unanswered,
    joined,
    message_of,
    passed_on,
    said,
)
from bus.notify.hours import is_quiet, next_hour
from bus.notify.looking import Seen
from bus.notify.shape import Item, Message, Own, Rule, Settings, Sort

MOST_IN_DIGEST = 60
"""So many things a digest carries, the gravest; the others are counted."""
AGAIN_S = 30.0
"""So long at most until it is looked again at what is due: quiet hours end, clocks are put right."""


def take_in(
    db: sqlite3.Connection, seen: Iterable[Seen], settings: Settings, own: Own, now: dt.datetime
) -> int:
    """Take in what has happened: each thing into a group of each rule that asks for it. Returns how many were taken.

    Args:
        db: `notify.db`, inside a transaction.
        seen: what has happened.
        settings: the rules.
        own: who is told.
        now: the present, aware.
    """
    open_: dict[tuple[str, bool, str], Group] = {}
    count = 0
    for each in seen:
        if each.held_until is not None and each.held_until > now:
            if each.item.sort is not Sort.DUE:  # which is found again once it may be told
                book.hold(db, each.item, each.held_until)
            continue
        if each.item.sort is Sort.DUE and not book.note(db, f"due {each.item.about}", now):
            continue
        reason = why_interrupt(each.item, own, now)
        for name in each.rules:
            way = way_of(settings.rules[name], reason)
            if way is None:
                continue
            digest = way == "digest"
            key = _place(db, open_, name, each.item, digest=digest)
            group = joined(open_[name, digest, key], each.item, now, urgent=way == "interrupt")
            open_[name, digest, key] = group
            count += 1
    for (name, digest, key), group in open_.items():
        book.put_group(db, name, key, group, digest=digest)
    return count


def _place(
    db: sqlite3.Connection, open_: dict[tuple[str, bool, str], Group], name: str, item: Item, *, digest: bool
) -> str:
    """The key of the group into which something goes, which is open then; where there are too many, one for all else."""
    issuer_fits, any_fits = None, None
    for key in (key_of(item), crowded_key(item, by_issuer=True), crowded_key(item, by_issuer=False)):
        if (name, digest, key) in open_:
            return key
        group = book.group(db, name, key, digest=digest)
        if group is None:
            if issuer_fits is None:
                issuer_fits, any_fits = book.has_room(db, name, item.issuer, digest=digest)
            is_last = key == crowded_key(item, by_issuer=False)
            is_crowd = key == crowded_key(item, by_issuer=True)
            if not (is_last or (any_fits and (issuer_fits or is_crowd))):
                continue
            group = Group(began=item.at)
            book.put_group(db, name, key, group, digest=digest, issuer="" if is_last else item.issuer)
        open_[name, digest, key] = group
        return key
    raise AssertionError("the last key always fits")


def hide(db: sqlite3.Connection, authorities: Collection[str], rules: Collection[str]) -> None:
    """Forget the silence of channels of which nothing was said yet: that of their hub says it."""
    for name in rules:
        for key, group in book.groups(db, name, digest=False).items():
            if group.said_at is None and any(key.endswith(f" alarm {each} silent") for each in authorities):
                book.drop_group(db, name, key, digest=False)


def say(
    db: sqlite3.Connection,
    settings: Settings,
    settled: Collection[str],
    now: dt.datetime,
    new_id: Callable[[], str],
) -> dt.datetime:
    """Make the messages that are due. Returns when to look again.

    Args:
        db: `notify.db`, inside a transaction.
        settings: rules and channels.
        settled: what was answered, of what is waited for.
        now: the present, aware.
        new_id: makes the id of a message.
    """
    again = now + dt.timedelta(seconds=AGAIN_S)
    for rule in settings.rules.values():
        quiet = is_quiet(rule.quiet, settings.zone, now)
        for key, before in book.groups(db, rule.name, digest=False).items():
            group = answered(before, settled) if settled else before
            due = due_at(group, now)
            if due is not None and due <= now and (group.is_urgent or not quiet):
                contact = rule.channels[min(group.contact, len(rule.channels) - 1)]
                deliveries.enqueue(db, new_id(), rule.name, contact, message_of(group, now))
                group = said(group, now)
            elif is_unanswered(group, now, rule.escalate_s, len(rule.channels)):
                group = passed_on(group, now)
                deliveries.enqueue(
                    db,
                    new_id(),
                    rule.name,
                    rule.channels[group.contact],
                    message_of(group, now, escalates=True),
                )
            elif due is not None and due > now:
                again = min(again, due)
            if is_over(group, now, len(rule.channels)):
                book.drop_group(db, rule.name, key, digest=False)
            elif group != before:
                book.put_group(db, rule.name, key, group, digest=False)
        if rule.hours and not quiet:
            _say_digest(db, rule, settings.zone, now, new_id)
    return again


def _say_digest(
    db: sqlite3.Connection, rule: Rule, zone: dt.tzinfo, now: dt.datetime, new_id: Callable[[], str]
) -> None:
    """Make the digest of a rule, when its time has come and something has happened."""
    last = book.last_digest(db, rule.name)
    if last is None or last > now:  # the first time, or a clock was set back
        book.note_digest(db, rule.name, now)
        return
    due = next_hour(rule.hours, zone, last)
    if due is None or due > now:
        return
    groups = book.groups(db, rule.name, digest=True)
    if groups:
        message = digest_of(groups.values(), now)
        deliveries.enqueue(db, new_id(), rule.name, rule.channels[0], message)
        for key in groups:
            book.drop_group(db, rule.name, key, digest=True)
    book.note_digest(db, rule.name, now)


def digest_of(groups: Collection[Group], now: dt.datetime) -> Message:
    """The digest of some groups: one thing of each first, the gravest before the others."""
    heads = [each.shown[0] for each in groups if each.shown]
    rest = [item for each in groups for item in each.shown[1:]]
    ranked = [*sorted(heads, key=_rank), *sorted(rest, key=_rank)]
    return Message(
        form="digest",
        items=tuple(ranked[:MOST_IN_DIGEST]),
        count=sum(each.count for each in groups),
        since=min(each.began for each in groups),
        at=now,
    )


def waited_for(db: sqlite3.Connection, settings: Settings, now: dt.datetime) -> frozenset[str]:
    """By what it is asked whether somebody has answered: of groups that are about to be passed on, or to be forgotten."""
    tokens: set[str] = set()
    for rule in settings.rules.values():
        if len(rule.channels) > 1:
            for group in book.groups(db, rule.name, digest=False).values():
                if group.said_at is not None and not timely(group, now):
                    tokens.update(group.waits)
    return frozenset(tokens)


def timely(group: Group, now: dt.datetime) -> bool:
    """Whether a word was said so short a time ago that nobody is asked yet whether it was answered."""
    told = group.contacted_at
    return told is not None and dt.timedelta(0) <= now - told < min(SILENCE, dt.timedelta(seconds=30))


def _rank(item: Item) -> tuple[str, float]:
    return item.priority, -item.at.timestamp()
