"""The answers to each bulletin: a row for each valid answer, and the sum of the answers to one bulletin.

Of one authority's answers with one verdict to one bulletin the newest counts, and nothing of them counts once that is withdrawn.
So a table has one row for each bulletin, channel and verdict, even if an authority answers often. Which answers count is asked when
they are read: a bulletin may come after its answers, and the registry says who may read it.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bus.hub.clocks import ANSWERING
from bus.hub.rows import SITUATION, TABLE_OF
from bus.storage import Layout, utc
from bus.subscribing import Stored, as_json, bodies, contested, whole
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import TLP_RANK, FeedbackKind, MsgType, Status, Tlp

_SHOWN = {str(FeedbackKind.REQUEST_UPGRADE): "relax-marking"}
MOST_DISPUTED = 1000
MOST_UNKNOWN = 20_000
"""So many answers of one authority to bulletins that the store does not hold are kept, the newest."""
MOST_OWN = 10_000
"""So many of an authority's own bulletins are looked at for what was answered to them, the newest."""

_TABLE = """
CREATE TABLE IF NOT EXISTS answered (
  target TEXT NOT NULL, channel TEXT NOT NULL, verdict TEXT NOT NULL, by TEXT NOT NULL, named TEXT NOT NULL, at REAL NOT NULL,
  id TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (target, channel, verdict)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered_by_time ON answered (at);
CREATE INDEX IF NOT EXISTS answered_by_verdict ON answered (verdict, target) WHERE verdict IN ('dispute', 'question');
"""
_NEWEST = """
ON CONFLICT DO UPDATE SET by = excluded.by, named = excluded.named, at = excluded.at, id = excluded.id, row = excluded.row
WHERE (excluded.at, excluded.id) > (at, id)
"""
_NOTE = f"INSERT INTO answered VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_NEWEST}"
_RELS = ", ".join(f"'{rel}'" for rel in sorted(ANSWERING))
_FEEDBACK = " UNION ALL ".join(
    f"SELECT row, issued FROM {table} WHERE kind = 'feedback'" for table in SITUATION
)
_PAYLOAD = "iif(json_valid(CAST(a.payload AS TEXT)), CAST(a.payload AS TEXT), '{}')"
# Of a store of before there was the table; where that is new, or as full as can be, it changes nothing.
_FILL = f"""
INSERT INTO answered
SELECT json_extract(r.value, '$.id'), a.channel, json_extract({_PAYLOAD}, '$.body.verdict'),
  substr(a.channel, 1, instr(a.channel, '/') - 1), coalesce(json_extract(r.value, '$.issuer'), ''), f.issued, a.id, a.row
FROM ({_FEEDBACK}) f JOIN admitted a ON a.row = f.row, json_each({_PAYLOAD}, '$.references') r
WHERE coalesce(json_extract({_PAYLOAD}, '$.msg_type'), 'alert') != '{MsgType.CANCEL}'
  AND json_extract(r.value, '$.rel') IN ({_RELS}) AND NOT {contested.muted("a.row")}
{_NEWEST};
"""
LAYOUT = Layout("answers", _TABLE + _FILL)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that counts: its author, verdict, time and bulletin."""

    by: str
    verdict: str
    at: dt.datetime
    id: str
    row: int


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that is answered, as far as that decides which answers count."""

    id: str
    channel: Channel

    @classmethod
    def of(cls, bulletin: Bulletin) -> About:
        """The bulletin itself."""
        channel = Channel(
            issuer=bulletin.issuer.id, status=bulletin.status, tlp=bulletin.tlp, audience=bulletin.audience
        )
        return cls(id=bulletin.id, channel=channel)


# -- taking in ----------------------------------------------------------------------------------------------------------


def take_in(db: sqlite3.Connection, rows: Iterable[Stored]) -> None:
    """Note the answers of a batch, with one statement; in any order, it comes out the same."""
    values: list[tuple[Any, ...]] = []
    for row in rows:
        b = row.bulletin
        if isinstance(b.body, Feedback) and b.msg_type is not MsgType.CANCEL:
            for target, named in answered_by(b).items():
                at, verdict = b.issued.timestamp(), str(b.body.verdict)
                values.append((target, row.channel, verdict, b.issuer.id, named, at, b.id, row.rowid))
    if values:
        db.executemany(_NOTE, values)


def take_back(db: sqlite3.Connection, channel: str) -> None:
    """Take back what a channel has answered; an answer that is no longer kept is still the last one."""
    db.execute("DELETE FROM answered WHERE channel = ? AND row IN (SELECT row FROM admitted)", (channel,))


def clear(db: sqlite3.Connection) -> None:
    """Empty the table, but for what is not kept any more."""
    db.execute("DELETE FROM answered WHERE row IN (SELECT row FROM admitted)")


_FORGET = """
DELETE FROM answered WHERE (target, channel, verdict) IN (
  SELECT target, channel, verdict FROM (
    SELECT target, channel, verdict, row_number() OVER (PARTITION BY by ORDER BY at DESC, id DESC) AS place
    FROM answered a WHERE NOT EXISTS (SELECT 1 FROM links WHERE id = a.target)
  ) WHERE place > ?
)
"""


def forget_unknown(db: sqlite3.Connection, most: int = MOST_UNKNOWN) -> int:
    """Delete answers to ids that the store does not hold, beyond the newest `most` of each authority; gives how many.

    A bulletin may come after its answers, so some are kept. An authority that invents ids pushes out only its own answers.
    """
    if db.execute("SELECT count(*) FROM answered").fetchone()[0] <= most:
        return 0
    return db.execute(_FORGET, (most,)).rowcount


def answered_by(bulletin: Bulletin) -> Mapping[str, str]:
    """The ids of what an answer answers, each with the issuer that it names, or nothing."""
    return {ref.id: ref.issuer or "" for ref in bulletin.references if ref.rel in ANSWERING}


# -- asking -------------------------------------------------------------------------------------------------------------

# An answer that is withdrawn, superseded or no longer kept is not valid.
_STANDS = "EXISTS (SELECT 1 FROM {table} s WHERE s.row = a.row AND s.ended_by IS NULL)"
_OF = "SELECT a.*, {stands} AS stands FROM answered a WHERE a.target = ? ORDER BY a.at DESC, a.id DESC"


def to_one(
    db: sqlite3.Connection, about: About, registry: VerifiedRegistry | None = None
) -> tuple[Said, ...]:
    """The answers to one bulletin that count, the newest first.

    Args:
        db: a reader's store.
        about: the bulletin; the store need not hold it.
        registry: who may read it; without one that is not asked.
    """
    status = about.channel.status
    if status not in TABLE_OF:
        return ()
    rows = db.execute(_OF.format(stands=_STANDS.format(table=TABLE_OF[status])), (about.id,)).fetchall()
    return tuple(counting(rows, about, registry))


def counting(rows: Iterable[sqlite3.Row], about: About, registry: VerifiedRegistry | None) -> Iterator[Said]:
    """Of the answers to a bulletin, the newest first, those that count."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        by = (row["by"], row["verdict"])
        if by in seen or why_not(row["channel"], row["named"], about, registry):
            continue
        seen.add(by)
        if row["stands"]:
            yield Said(by=row["by"], verdict=row["verdict"], at=utc(row["at"]), id=row["id"], row=row["row"])


def why_not(channel: str, named: str, about: About, registry: VerifiedRegistry | None = None) -> str | None:
    """In a few words, why an answer does not count; None when it counts. Pure.

    Args:
        channel: the answer's.
        named: the issuer that it names as that of the bulletin, or nothing.
        about: the bulletin.
        registry: who may read it; without one that is not asked.
    """
    try:
        said = Channel.parse(channel)
    except SchemaError:
        return "it is on no channel"
    original = about.channel
    if said.issuer == original.issuer:
        return "an authority cannot answer itself"
    if named not in ("", original.issuer):
        return f"it names a bulletin of {named}"
    if said.status is not original.status or said.audience not in (original.audience, original.issuer):
        return "it was said elsewhere"
    if TLP_RANK[said.tlp] < TLP_RANK[original.tlp]:
        return "its marking is wider"
    if registry is None or said.issuer not in registry.document.authorities:
        return None
    return None if registry.may_read(said.issuer, original) else f"{said.issuer} may not read it"


def held(db: sqlite3.Connection, wanted: str) -> list[About]:
    """The bulletins that the store holds under an id or digest; two authorities may have used one id."""
    sql = "SELECT id, channel FROM links WHERE row = ?"
    rows = [db.execute(sql, (row,)).fetchone() for row in bodies.rows_of(db, wanted)]
    return [About(id=row["id"], channel=Channel.parse(row["channel"])) for row in rows if row is not None]


def own(db: sqlite3.Connection, me: str, wanted: str | None = None, limit: int = MOST_OWN) -> list[About]:
    """The bulletins of an authority's outbox, by id or digest, or all of them, the newest first."""
    sql = "SELECT id, channel FROM outbox WHERE ?1 IS NULL OR id = ?1 OR digest = ?1 ORDER BY n DESC LIMIT ?2"
    rows = db.execute(sql, (wanted, limit)).fetchall()
    return [About(id=row["id"], channel=Channel.parse(f"{me}/{row['channel']}")) for row in rows]


_LATELY = """
SELECT target FROM answered a WHERE target IN (SELECT value FROM json_each(?)) OR EXISTS (SELECT 1 FROM links WHERE id = a.target)
ORDER BY at DESC, id DESC
"""


def lately(
    db: sqlite3.Connection,
    ours: Iterable[About],
    limit: int,
    registry: VerifiedRegistry | None = None,
    by: str | None = None,
) -> list[About]:
    """The bulletins of an author, or of all, that were answered last, as far as the store holds them or they are one's own.

    Only valid answers count here: rubbish about ids without a bulletin hides nothing.
    """
    mine = {about.id: about for about in ours}
    found: list[About] = []
    seen: set[str] = set()
    for (target,) in db.execute(_LATELY, (as_json(list(mine)),)):
        if len(found) >= limit:
            break
        if target not in seen:
            seen.add(target)
            abouts = held(db, target) or ([mine[target]] if target in mine else [])
            wanted = (about for about in abouts if by in (None, about.channel.issuer))
            found += [about for about in wanted if to_one(db, about, registry)]
    return found[:limit]


def body_of(db: sqlite3.Connection, said: Said) -> Feedback | None:
    """The content of an answer; None if its bytes have changed in this store."""
    for kept in whole(db.execute("SELECT * FROM admitted WHERE row = ?", (said.row,))):
        body = kept.bulletin.body
        return body if isinstance(body, Feedback) else None
    return None


_TARGETS = """
SELECT s.id, s.issuer, s.tlp, s.audience FROM (SELECT DISTINCT target FROM answered WHERE verdict = 'dispute') d
JOIN links l ON l.id = d.target JOIN actual s ON s.row = l.row AND s.id = d.target
WHERE s.ended_by IS NULL AND s.expires > ? LIMIT ?
"""


def disputed(
    db: sqlite3.Connection, moment: float, registry: VerifiedRegistry | None = None
) -> dict[str, tuple[str, ...]]:
    """The actual bulletins in force that somebody disputes, by id, with who; of at most `MOST_DISPUTED`."""
    found: dict[str, tuple[str, ...]] = {}
    for id_, issuer, tlp, audience in db.execute(_TARGETS, (moment, MOST_DISPUTED)).fetchall():
        channel = Channel(issuer=issuer, status=Status.ACTUAL, tlp=Tlp(tlp), audience=audience)
        if names := disputers(to_one(db, About(id=id_, channel=channel), registry)):
            found[id_] = names
    return found


def disputers(answers: Iterable[Said]) -> tuple[str, ...]:
    """The authorities that dispute, sorted. A dispute lasts until its author withdraws it; ended bulletins are not examined."""
    return tuple(sorted({each.by for each in answers if each.verdict == FeedbackKind.DISPUTE}))


def counted(answers: Iterable[Said]) -> dict[str, int]:
    """The number of authorities for each verdict, disputes first, then by word."""
    counts: dict[str, int] = {}
    for each in answers:
        counts[each.verdict] = counts.get(each.verdict, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (item[0] != FeedbackKind.DISPUTE, item[0])))


def shown(verdict: str) -> str:
    """A verdict as views call it."""
    return _SHOWN.get(verdict, verdict)


def is_settled(db: sqlite3.Connection, about: About) -> bool:
    """Whether the store knows that a bulletin was superseded or withdrawn, which settles disputes about it."""
    table = TABLE_OF[about.channel.status]
    sql = f"SELECT 1 FROM links l JOIN {table} s ON s.row = l.row WHERE l.id = ? AND s.issuer = ? AND s.ended_by IS NOT NULL"
    return db.execute(sql, (about.id, about.channel.issuer)).fetchone() is not None


def label(answers: Sequence[Said], *, settled: bool = False) -> tuple[str, ...]:
    """The note of a view beside a bulletin: who disputes it, or did until that was settled, and counts of other answers."""
    names = disputers(answers)
    others = {verdict: n for verdict, n in counted(answers).items() if verdict != FeedbackKind.DISPUTE}
    word = "was disputed" if settled else "disputed"
    first = (f"{word} by {', '.join(names)}",) if names else ()
    return (*first, *(f"{n} {shown(verdict)}" for verdict, n in others.items()))
