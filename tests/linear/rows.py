"""A hub's store with many rows that others made it keep, what is asked of it at each look, and what is ruled over them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping

from bus.admission.branches import ReceivedLink, standing
from bus.hub.exchange import missing
from bus.hub.picture.projection import Projection
from bus.hub.watch.watch import look_at
from bus.subscribing.tables import LAYOUT
from bus.trust import Ending
from tests.linear.shapes import Shape, filled
from tests.support.held import hold
from tests.support.world import NOW, shared_world

ROW_BYTES = 100
"""What a row stands for in a bound, which counts bytes."""
ME, AUTHOR, PEER = "xa-hub", "xb-csirt", "xb-hub"
CHANNEL = f"{AUTHOR}/actual.green.community"


def _heads(db: sqlite3.Connection, count: int) -> None:
    """Heads of one channel that its issuer announces and nobody has."""
    db.executemany(
        "INSERT INTO announced_heads VALUES (?, ?, ?, 1)", ((CHANNEL, n, f"d{n}") for n in range(count))
    )


def _claims(db: sqlite3.Connection, count: int) -> None:
    """Heads of one channel that as many peers say they hold, with an alarm that stands."""
    db.executemany(
        "INSERT INTO holdings VALUES (?, ?, ?, ?, 1, 0, NULL)",
        ((CHANNEL, f"xb-h{n:x}", n, f"d{n}") for n in range(count)),
    )
    _alarms(db, [CHANNEL], ("tail", "split"))


def _others(db: sqlite3.Connection, count: int) -> None:
    """A chain that is held, and for each of its places a claim that another stands there."""
    _chain(db, count // 2)
    db.executemany(
        "INSERT INTO holdings VALUES (?, ?, ?, ?, 1, 0, NULL)",
        ((CHANNEL, f"xb-h{n:x}", n, f"o{n}") for n in range(count // 2)),
    )
    _alarms(db, [CHANNEL], ("split",))


def _channels(db: sqlite3.Connection, count: int) -> None:
    """Claims about as many channels as there are claims, with an alarm for each tenth."""
    names = [f"xb-c{n:x}/actual.green.community" for n in range(count)]
    db.executemany("INSERT INTO holdings VALUES (?, ?, 1, 'd', 1, 0, NULL)", ((name, PEER) for name in names))
    _alarms(db, names[::10], ("tail",))


def _gaps(db: sqlite3.Connection, count: int) -> None:
    """A chain of which each second place is missing."""
    _chain(db, count, step=2)
    _alarms(db, [CHANNEL], ("gap",))


def _refused(db: sqlite3.Connection, count: int) -> None:
    """Refused bulletins that name another predecessor than is held."""
    _chain(db, count // 2)
    db.executemany(
        "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, prev, kids, variant, size) "
        "VALUES (0, 'broken-chain', '', '', '', '', ?, ?, ?, ?, '[]', '', 0)",
        ((f"q{n}", CHANNEL, n + 1, f"p{n}") for n in range(count // 2)),
    )


def _chain(db: sqlite3.Connection, count: int, step: int = 1) -> None:
    for n in range(count):
        hold(db, CHANNEL, n * step + 1, f"d{n}")


def _alarms(db: sqlite3.Connection, names: list[str], reasons: tuple[str, ...]) -> None:
    db.executemany(
        "INSERT INTO alarms (channel, reason, detail, began) VALUES (?, ?, '', 0)",
        ((name, reason) for name in names for reason in reasons),
    )


_KINDS: Mapping[str, Callable[[sqlite3.Connection, int], None]] = {
    "announced heads": _heads,
    "claims of one channel": _claims,
    "claims of other bulletins": _others,
    "claims of many channels": _channels,
    "gaps": _gaps,
    "refused bulletins": _refused,
}
SHAPES: Mapping[str, Shape] = {kind: filled(b'["' + kind.encode() + b'",', b"1,", b"1]") for kind in _KINDS}
"""The bytes name a kind of rows, and are as long as `ROW_BYTES` times their number."""


def filled_store(raw: bytes) -> sqlite3.Connection:
    """A store with the rows that the bytes stand for."""
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    for layout in (LAYOUT, *Projection().layouts):
        db.executescript(layout.schema)
    moment = NOW - dt.timedelta(hours=1)
    hold(db, "xb-hub/system.green.community", 1, "d", row=1, admitted_at=moment.timestamp())
    _KINDS[raw[2:].partition(b'"')[0].decode()](db, len(raw) // ROW_BYTES)
    db.execute("ANALYZE")
    return db


CHAINS: Mapping[str, Shape] = {
    kind: filled(b'["' + kind.encode() + b'",', b"1,", b"1]") for kind in ("stolen", "dated back")
}
"""The bytes name how a key ended, and are as long as `ROW_BYTES` times the bulletins of a chain."""


def ended_chain(raw: bytes) -> tuple[list[ReceivedLink], Mapping[str, Ending]]:
    """A chain that a thief left in the middle, and how the key he had has ended."""
    count, is_stated = len(raw) // ROW_BYTES, raw.startswith(b'["dated')
    links = [
        ReceivedLink(
            channel=CHANNEL,
            seq=n,
            digest=f"d{n}",
            prev=f"d{n - 1}" if n > 1 else None,
            kid="old" if n < count // 2 else "new",
            received_at=NOW,
            issued=NOW - dt.timedelta(days=2),
        )
        for n in range(1, count + 1)
    ]
    return links, {"old": Ending(since=NOW - dt.timedelta(days=1), by_statement=is_stated)}


def rule(chain: tuple[list[ReceivedLink], Mapping[str, Ending]]) -> object:
    """What of a chain stands when a key has ended."""
    return standing(*chain)


def look(db: sqlite3.Connection) -> object:
    """What is asked at each look, and what is then missing."""
    registry = shared_world().registry
    return look_at(db, NOW, registry, ME), missing.lacks(db, registry, ME, NOW.timestamp())
