"""What has happened in a hub's store since the last look, as far as the rules may see it. Reads only.

The store is read through the same limits as pages (`bus.policy.Clearance`): the widest that any rule has, then each rule's own.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bus import trust
from bus.errors import StoreError
from bus.hub import picture, watch
from bus.notify.deciding import is_asked_for, is_hidden, sees
from bus.notify.items import Asking, alarm_of, country_of, item_of, nearly_due, own_word, with_late
from bus.notify.shape import Item, Rule, Sort
from bus.storage import only_read
from bus.subscribing import Stored, as_json, whole
from bus.trust import TrustState, VerifiedRegistry
from schemas import passing_on
from schemas.bulletin import Bulletin
from schemas.vocab import ReceiptStage, Status

Answer = TypeVar("Answer")

AT_ONCE = 500
"""So many events are read at once."""
LOST = frozenset({TrustState.STALE, TrustState.EXPIRED})
_SORTS = {
    "new": Sort.BULLETIN,
    "updated": Sort.BULLETIN,
    "answered": Sort.BULLETIN,
    "withdrawn": Sort.WITHDRAWN,
    "restored": Sort.RESTORED,
    picture.events.LATE: Sort.LATE,
}
_STATUS = {"actual": Status.ACTUAL, "exercise": Status.EXERCISE}
_TOLD_BY_ANOTHER = ("superseded", "withdrawn")
_ACKED = (
    "SELECT 1 FROM receipt_queue r JOIN admitted a ON a.digest = r.digest WHERE a.row = ? AND r.stage = ?"
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened, with the rules that ask for it, and until when it may not be handed on."""

    item: Item
    rules: tuple[str, ...]
    held_until: dt.datetime | None = None


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    Attributes:
        seen: what has happened, the oldest first.
        erased: ids of bulletins that were erased.
        hidden: authorities whose silence that of their hub says from now on.
        upto: the number after which to ask next.
        is_whole: whether nothing that happened is missing.
        more: whether more is there to be read at once.
    """

    seen: tuple[Seen, ...]
    erased: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    upto: int = 0
    is_whole: bool = True
    more: bool = False


def read(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Ask the store at a path; all statements see the same moment, and none can write.

    Raises:
        StoreError: `store-unreadable`, it cannot be read now.
    """
    try:
        with only_read(path) as db:
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")
            return question(db)
    except sqlite3.Error as exc:
        raise StoreError(f"the store {path} cannot be read now ({exc})", reason="store-unreadable") from None


def look(db: sqlite3.Connection, asking: Asking, n: int, now: dt.datetime) -> Looked:
    """What has happened after event `n`; of a store that begins anew, nothing but that something is missing."""
    told = picture.events_after(db, asking.clearance, n, AT_ONCE)
    if not told.is_whole:
        return Looked(seen=(), upto=picture.events.newest(db), is_whole=False)
    silent, is_hub = _silent_hubs(db, asking), _hubs(asking)
    seen: list[Seen] = []
    hidden: set[str] = set()
    rows = {event.row: event for event in told.events if event.what in _SORTS and event.of in _STATUS}
    found = _bulletins(db, asking, now, {row: _STATUS[event.of] for row, event in rows.items()})
    for event in told.events:
        if event.what in (picture.events.SILENT, picture.events.HEARD):
            item = alarm_of(event.what, event.of, event.about, event.at, asking)
            if item is None or is_hidden(item, silent, is_hub=item.issuer in is_hub):
                continue
            seen += _for_rules(asking, [item], now, {})
            if item.issuer in is_hub and item.kind == "silent":
                mates = _mates(asking, item.country) - is_hub
                if event.what == picture.events.SILENT:
                    hidden |= mates
                elif item.country not in silent:
                    seen += _for_rules(asking, _still_silent(db, asking, mates), now, {})
        elif event.row in found and event.what in _SORTS:
            line, b = found[event.row]
            sort = _SORTS[event.what]
            if sort is Sort.BULLETIN and line.state in _TOLD_BY_ANOTHER:
                continue
            item = item_of(db, asking, sort, event.at, line, b, now)
            if sort is Sort.LATE and (item := with_late(db, asking, item, now)).due is None:
                continue
            seen += _for_rules(asking, [item], now, {line.id: b})
    erased = tuple(event.about for event in told.events if event.what == picture.events.ERASED)
    return Looked(
        seen=tuple(seen),
        erased=erased,
        hidden=tuple(sorted(hidden)),
        upto=told.upto,
        more=told.upto < picture.events.newest(db),
    )


def begin(db: sqlite3.Connection) -> Looked:
    """Where to begin: with what happens from now on."""
    return Looked(seen=(), upto=picture.events.newest(db))


def look_again(
    db: sqlite3.Connection, asking: Asking, items: Sequence[Item], now: dt.datetime
) -> tuple[Seen, ...]:
    """What was held until now, as it stands now; bulletins superseded or withdrawn since then are left out."""
    found = _bulletins(
        db, asking, now, {each.row: Status.EXERCISE if each.is_exercise else Status.ACTUAL for each in items}
    )
    seen: list[Seen] = []
    for held in items:
        if held.row not in found:
            continue
        line, b = found[held.row]
        if held.sort is Sort.BULLETIN and line.state in _TOLD_BY_ANOTHER:
            continue
        seen += _for_rules(asking, [item_of(db, asking, held.sort, now, line, b, now)], now, {line.id: b})
    return tuple(seen)


def look_at_clocks(db: sqlite3.Connection, asking: Asking, now: dt.datetime) -> tuple[Seen, ...]:
    """The acknowledgements of which no more than a quarter of their time is left."""
    if asking.registry is None:
        return ()
    me = asking.own.authority
    owed = picture.owed_within(db, asking.clearance, now, asking.registry, me, ours=me, by_author=True)
    return look_at_due(db, asking, nearly_due(owed, now), now)


def look_at_due(
    db: sqlite3.Connection, asking: Asking, some: Iterable[picture.Owed], now: dt.datetime
) -> tuple[Seen, ...]:
    """What is to be acknowledged, with the bulletins, in the same order."""
    due = {each.id: each for each in some}
    lines = (picture.of_id(db, asking.clearance, now, Status.ACTUAL, id_) for id_ in due)
    rows = {line.row: Status.ACTUAL for line in lines if line is not None}
    found = _bulletins(db, asking, now, rows)
    items = []
    for line, b in (found[row] for row in rows if row in found):
        item = item_of(db, asking, Sort.DUE, now, line, b, now)
        items.append(msgspec.structs.replace(item, start=due[line.id].start, due=due[line.id].due))
    return _for_rules(asking, items, now, {line.id: b for line, b in found.values()})


def settled(
    db: sqlite3.Connection, asking: Asking, tokens: Iterable[str], now: dt.datetime
) -> frozenset[str]:
    """Of what is waited for, by `Item.token`, what somebody has answered, or what is over."""
    standing = {f"{channel}|{reason}" for channel, reason in watch.alarms.standing(db)}
    done = set()
    for token in tokens:
        if "|" in token:
            if token not in standing:
                done.add(token)
            continue
        if token == str(Sort.TRUST):
            if asking.registry is not None and asking.registry.state(now) not in LOST:
                done.add(token)
            continue
        lines = (picture.of_id(db, asking.clearance, now, status, token) for status in _STATUS.values())
        line = next((each for each in lines if each is not None), None)
        if line is not None and (
            line.state != "in-force" or db.execute(_ACKED, (line.row, ReceiptStage.ACKNOWLEDGED)).fetchone()
        ):
            done.add(token)
    return frozenset(done)


def trust_of(registry: VerifiedRegistry | None, now: dt.datetime) -> str:
    """How the registry stands: a word to be compared with the last one."""
    return "broken" if registry is None else str(registry.state(now))


def trust_lost(asking: Asking, before: str, now: dt.datetime) -> tuple[Seen, ...]:
    """That trust was lost since it was looked at last; nothing where it was not."""
    present = trust_of(asking.registry, now)
    lost = {"broken", *map(str, LOST)}
    if present not in lost or before in lost:
        return ()
    what = "cannot be read" if present == "broken" else f"is {present}"
    return _for_rules(asking, [own_word(Sort.TRUST, f"the trust registry {what}", now)], now, {})


def missed(asking: Asking, now: dt.datetime) -> tuple[Seen, ...]:
    """That the record of events does not reach back to the last look."""
    text = "events were missed, as nobody looked for too long or the store is another: look at the picture"
    return _for_rules(asking, [own_word(Sort.MISSED, text, now)], now, {})


def for_rules(asking: Asking, items: Sequence[Item], now: dt.datetime) -> tuple[Seen, ...]:
    """Items that others have made, such as drafts that wait for approval, with the rules that ask for them."""
    return _for_rules(asking, items, now, {})


def number_before(db: sqlite3.Connection, moment: dt.datetime) -> int:
    """The number of the last event before a moment."""
    return int(
        db.execute("SELECT coalesce(max(n), 0) FROM events WHERE at < ?", (moment.timestamp(),)).fetchone()[0]
    )


# -- parts ----------------------------------------------------------------------------------------------------------------


def _bulletins(
    db: sqlite3.Connection, asking: Asking, now: dt.datetime, rows: dict[int, Status]
) -> dict[int, tuple[picture.Line, Bulletin]]:
    """The lines and bulletins of rows that may be seen."""
    lines: dict[int, picture.Line] = {}
    for status in set(rows.values()):
        mine = [row for row, each in rows.items() if each is status]
        lines |= {line.row: line for line in picture.of_rows(db, asking.clearance, now, status, mine)}
    sql = "SELECT * FROM admitted WHERE row IN (SELECT value FROM json_each(?))"
    kept: Iterator[Stored] = whole(db.execute(sql, (as_json(sorted(lines)),)).fetchall())
    return {row.rowid: (lines[row.rowid], row.bulletin) for row in kept}


def _hubs(asking: Asking) -> frozenset[str]:
    known = {} if asking.registry is None else asking.registry.document.authorities
    return frozenset(name for name, each in known.items() if each.kind == trust.HUB)


def _mates(asking: Asking, country: str) -> set[str]:
    known = {} if asking.registry is None else asking.registry.document.authorities
    return {name for name, each in known.items() if each.country == country}


def _silent_hubs(db: sqlite3.Connection, asking: Asking) -> frozenset[str]:
    """The countries whose hubs are silent."""
    hubs = _hubs(asking)
    names = (channel.partition("/")[0] for channel, reason in watch.alarms.standing(db) if reason == "silent")
    return frozenset(country_of(asking, name) for name in names if name in hubs)


def _still_silent(db: sqlite3.Connection, asking: Asking, mates: Collection[str]) -> list[Item]:
    """The channels of a country that are silent though its hub is heard again."""
    found = []
    for each in watch.recorded_alarms(db, ended=False):
        if each.reason == "silent" and each.channel.partition("/")[0] in mates:
            item = alarm_of(picture.events.SILENT, each.reason, each.channel, each.began, asking)
            if item is not None:
                found.append(item)
    return found


def _for_rules(
    asking: Asking, items: Iterable[Item], now: dt.datetime, known: dict[str, Bulletin]
) -> tuple[Seen, ...]:
    """Items with the rules that may see them and ask for them; what no rule asks for is left out."""
    seen = []
    for item in items:
        b = known.get(item.about)

        def matches(rule: Rule, b: Bulletin | None = b) -> bool:
            return b is not None and rule.selection.matches(b, now)

        rules = tuple(
            name
            for name, rule in asking.settings.rules.items()
            if sees(rule, item, asking.audiences) and is_asked_for(rule, item, matches)
        )
        if rules:
            held = None if b is None else passing_on.embargo(b, now)
            seen.append(Seen(item=item, rules=rules, held_until=held))
    return tuple(seen)
