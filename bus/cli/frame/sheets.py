"""The sheet of a bulletin that this context holds: what is known of it here, and how it looks on a terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bus import publishing, sheets, subscribing, threads
from bus.cli.frame.app import App, Part
from bus.cli.frame.lines import MARKING, URGENT
from bus.cli.frame.session import admitted_row, open_outbox, open_registry, query_store, within
from bus.cli.frame.text import on_terminal, safe
from bus.config import OUTBOX_FILE, STORE_FILE
from bus.errors import ConfigError, TrustError
from bus.hub import picture
from schemas.codec import decode
from schemas.envelope import TYP_BULLETIN, Context, parse_header
from schemas.errors import TocsinError

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from bus.publishing import Outbox, Row
    from bus.sealing import View
    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Bulletin

IN_PIPE = 80
"""Cells of a line in a pipe: a sheet is for a person also there."""
WIDEST = 100
"""Lines longer than this are hard to read."""


class SheetLines(NamedTuple):
    """A sheet as lines: the marking, the standing and the priority have colours, where colour is wanted."""

    sheet: sheets.Sheet

    def draw(self, app: App) -> None:
        """Print it."""
        width = min(WIDEST, shutil.get_terminal_size().columns) if on_terminal() else IN_PIPE
        for line in sheets.lines_of(self.sheet, width, safe):
            app.painted(list(_painted(line, self.sheet)))


def _painted(line: str, sheet: sheets.Sheet) -> Iterator[Part]:
    """A line with the colours of what the program says, never of a word of an author."""
    marking, _, rest = sheet.marks[0].partition("  ")
    if line.startswith(f"{marking}  ") and line.endswith(rest[-4:]):
        yield (marking, MARKING.get(marking.removeprefix("TLP:").lower()))
        yield (line[len(marking) :], None)
    elif line and sheet.alert.startswith(line):
        yield (line, "magenta")
    elif line and sheet.about.startswith(line) and line[:2].lower() in URGENT:
        yield (line[:2], URGENT[line[:2].lower()])
        yield (line[2:], None)
    else:
        yield (line, None)


def language(app: App, wanted: str | None) -> str:
    """The language of a sheet: that asked for, that of the context, that of the environment."""
    try:
        set_ = app.identity.lang
    except ConfigError:
        set_ = None
    return wanted or set_ or sheets.language_of(os.environ)


def sheet_of_held(app: App, seen: View, signature: str, wanted: str, lang: str) -> sheets.Sheet:
    """The sheet of a bulletin that the context holds.

    Args:
        app: the context.
        seen: the bulletin, as this identity may see it.
        signature: its signature header.
        wanted: its id.
        lang: the reader's language.
    """
    return sheets.sheet_of(seen.bulletin, _known(app, seen, signature, wanted), lang)


def _known(app: App, seen: View, signature: str, wanted: str) -> sheets.Known:
    now, issuer = app.now(), seen.outer.issuer.id
    try:
        registry = open_registry(app, now)
    except (ConfigError, TrustError):
        registry = None
    known = _of_store(app, wanted, sheets.Known(now=now, parts=tuple(_parts(seen))), registry)
    if known.admitted_at is None:
        known = _of_outbox(app, seen.outer, known, registry)
    if seen.inner is not None:
        known = msgspec.structs.replace(known, labels=(*known.labels, *sorted(seen.inner.labels)))
    if registry is None:
        return known
    keys = _keys(registry, issuer)
    kid = known.kid or _kid(signature, registry.domain, keys)
    return msgspec.structs.replace(
        known, kid=kid, network=registry.domain, registry_version=registry.version, names_key=kid in keys
    )


def _of_store(app: App, wanted: str, known: sheets.Known, registry: VerifiedRegistry | None) -> sheets.Known:
    """The record of admission for a bulletin, and its end since then."""
    if not (app.state_folder() / STORE_FILE).exists():
        return known

    def question(db: sqlite3.Connection) -> sheets.Known:
        found = admitted_row(db, wanted)
        if found is None:
            return known
        row = subscribing.stored(found)
        ending = picture.selected.ending(db, row)
        return msgspec.structs.replace(
            known,
            admitted_at=row.admitted_at,
            kid=row.kid,
            trust=row.trust,
            labels=tuple(sorted(row.labels)),
            endorsers=row.endorsers,
            ended_how=ending.how,
            ended_by=ending.by,
            versions=_versions(db, wanted, known.now),
            answers=_answers(db, picture.About.of(row.bulletin), registry),
            is_settled=picture.answers.is_settled(db, picture.About.of(row.bulletin)),
        )

    return query_store(app, question)


def _answers(
    db: sqlite3.Connection, about: picture.About, registry: VerifiedRegistry | None
) -> tuple[sheets.Answered, ...]:
    """The answers to a bulletin that count, the newest first, with their words where they are held."""
    said = picture.answers.to_one(db, about, registry)
    return tuple(
        sheets.Answered(by=each.by, at=each.at, verdict=each.verdict, text=_words(db, each.row))
        for each in said
    )


def _words(db: sqlite3.Connection, row: int) -> str:
    for kept in subscribing.whole(db.execute("SELECT * FROM admitted WHERE row = ?", (row,))):
        return getattr(kept.bulletin.body, "text", None) or ""
    return ""


def _versions(db: sqlite3.Connection, wanted: str, now: dt.datetime) -> tuple[sheets.Version, ...]:
    """The versions of the thread of a bulletin that the store holds."""
    thread = picture.versions.find(db, wanted)
    if thread is None:
        return ()
    return _told(thread, picture.versions.in_thread(db, thread), picture.versions.state(db, thread, now))


def _told(
    thread: threads.Thread, members: Sequence[threads.Version], state: str
) -> tuple[sheets.Version, ...]:
    """The versions of a thread, the oldest first; none where there is only one."""
    if len(members) < 2:
        return ()
    said = "alert"
    found = []
    for member in reversed(members):
        is_living = member.id == thread.living
        kind = "cancel" if member.is_cancel else said
        said = "update"
        if member.issued is not None:
            found.append(
                sheets.Version(
                    id=member.id, issued=member.issued, msg_type=kind, state=state if is_living else ""
                )
            )
    return tuple(found)


async def _own(box: Outbox, wanted: str, now: dt.datetime) -> tuple[Row | None, tuple[sheets.Version, ...]]:
    """The row of one's own bulletin, and the versions of its thread."""
    row = await box.get(wanted)
    thread = await box.read(lambda db: publishing.versions.find(db, wanted))
    if row is None or thread is None:
        return row, ()
    living = await box.get(thread.living)
    state = thread.state(now, None if living is None else decode(living.payload).expires)
    return row, _told(thread, await box.read(lambda db: threads.in_thread(db, thread.key)), state)


def _of_outbox(
    app: App, bulletin: Bulletin, known: sheets.Known, registry: VerifiedRegistry | None
) -> sheets.Known:
    """The stage of an own bulletin, and the answers to it."""
    if not (app.state_folder() / OUTBOX_FILE).exists():
        return known
    row, versions = within(open_outbox(app), lambda box: _own(box, bulletin.id, known.now))
    if row is None:
        return known
    state = "accepted" if row.state == "kept" else str(row.state)
    known = msgspec.structs.replace(known, is_own=row.is_whole, state=state, versions=versions)
    return _answered(app, picture.About.of(bulletin), known, registry)


def _answered(
    app: App, about: picture.About, known: sheets.Known, registry: VerifiedRegistry | None
) -> sheets.Known:
    """The stored answers to an own bulletin, which itself may be missing in this context's store."""
    if not (app.state_folder() / STORE_FILE).exists():
        return msgspec.structs.replace(known, is_unread=True)

    def question(db: sqlite3.Connection) -> sheets.Known:
        newest = subscribing.totals.newest_at(db)
        if newest is None:
            return msgspec.structs.replace(known, is_unread=True)
        return msgspec.structs.replace(
            known,
            answers=_answers(db, about, registry),
            as_of=newest,
            is_settled=picture.answers.is_settled(db, about),
        )

    return query_store(app, question)


def _keys(registry: VerifiedRegistry, issuer: str) -> frozenset[str]:
    record = registry.document.authorities.get(issuer)
    return frozenset(record.keys) if record is not None else frozenset()


def _kid(signature: str, domain: str, keys: frozenset[str]) -> str:
    """The key of its issuer among those that a header names; empty where it names none."""
    try:
        entries = parse_header(signature, Context(TYP_BULLETIN, domain))
    except TocsinError:
        return ""
    kids = [entry.header.kid for entry in entries]
    return next((kid for kid in kids if kid in keys), kids[0])


def _parts(seen: View) -> Iterator[sheets.SealedPart]:
    if seen.outer.kind == "sealed" and seen.inner is None:
        named = tuple(getattr(seen.outer.body, "recipients", ()))
        yield sheets.SealedPart(label=seen.outer.kind, recipients=named, reason=seen.reason)
    for section in seen.sections:
        yield sheets.SealedPart(
            label=section.label,
            recipients=section.recipients,
            content=section.content,
            reason=section.reason,
        )
