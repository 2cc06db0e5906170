"""`tocsin bulletin`: begin a draft, check it, look at bulletins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli import frame
from bus.cli.frame import (
    DONE,
    REFUSED,
    STATUS,
    TLPS,
    Answer,
    App,
    Group,
    InputFileError,
    audience_option,
    command,
    completing,
    filter_options,
    reviewed_option,
    tlp_option,
)
from bus.hub import picture
from schemas import review
from schemas.codec import decode, digest
from schemas.envelope import file_form
from schemas.passing_on import marks
from schemas.vocab import Status

if TYPE_CHECKING:
    import sqlite3

    from bus.filters import Selection
    from bus.publishing import Row
    from bus.subscribing import Stored
    from schemas.bulletin import Bulletin

ALL = 1_000_000
MOST_READ = 2_000
"""At most this many unindexed bulletins are searched for the count; beyond that the list says "or more"."""


@click.group(cls=Group)
def bulletin() -> None:
    """Drafts and bulletins."""


@command(bulletin, "check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)
@audience_option
@tlp_option(*TLPS)
@reviewed_option
def check(
    app: App, files: tuple[str, ...], *, audience: str | None, tlp: str | None, reviewed: str | None
) -> Iterator[Answer]:
    """Check drafts as `publish` does, and list every fault by line. Exits 5 if there is one.

    `tocsin explain` explains the codes in brackets. Doubts for a person (telephone numbers, number plates, text that
    is not filled in) count as faults until --reviewed says why the draft is right.
    """
    for name in files:
        try:
            found = frame.look_at(app, name, audience, tlp)
        except InputFileError as exc:
            if len(files) == 1:
                raise
            broken = {"grade": "error", "rule": exc.reason, "path": "$", "text": str(exc)}
            yield Answer({"file": name, "ok": False, "violations": [broken]}, lines=[str(exc)], code=REFUSED)
            continue
        wrong = found.of("error", "doubt") if reviewed is None else found.of("error")
        odd = found.of("remark")
        yield Answer(
            {"file": name, "ok": not wrong, "violations": wrong, "remarks": odd},
            lines=frame.told(name, found, wrong) or [f"{name}: ok"],
            notes=frame.told(name, found, odd),
            code=REFUSED if wrong else DONE,
        )


@command(bulletin, "show")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.option(
    "--raw",
    "--file",
    "raw",
    is_flag=True,
    help="the signed file form (*.tocsin.json), which `verify` accepts",
)
@click.option("--exact", is_flag=True, help="show exactly this version, not the newest")
@click.option(
    "--lang", metavar="TAG", help="language of the sheet  [default: of the context, LC_ALL or LANG]"
)
def show(app: App, bulletin_id: str, *, raw: bool, exact: bool, lang: str | None) -> Answer:
    """Show one bulletin of the store or the outbox.

    ID is the id of any version, at least its first four characters, or a digest. The newest version is shown.

    The sheet shows the markings first, then what to do and by when, the line for the public, the facts in words, why
    it can be trusted, and its versions. Texts are in the reader's language if the bulletin has it. Labels are in
    English, German, Greek, French or Estonian.

    Sealed parts are opened and shown too, if the context names a seal key for them.
    """
    signature, payload, named = frame.find_bulletin(app, bulletin_id, exact=exact)
    found = decode(payload)
    if raw:
        frame.must_not_be_held(app, found)
        # Recorded first, so that nothing leaves without a record.
        frame.record(app, "exported", digest=digest(payload))
        return Answer(raw=file_form(payload, signature).decode(), remarks=named.words)
    seen = frame.Unsealer(app, "show").look(found, digest(payload))
    opened = frame.opened_data(seen)
    facts = {"bulletin": msgspec.Raw(payload), **opened} if opened else msgspec.Raw(payload)
    sheet = frame.sheet_of_held(app, seen, signature, found.id, frame.language(app, lang))
    return Answer(facts, lines=[frame.SheetLines(sheet)], remarks=named.words)


@command(bulletin, "list")
@filter_options
@click.option(
    "--status",
    type=STATUS,
    default="actual",
    show_default=True,
    help="bulletins of this status; a list has one status only",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--mine", is_flag=True, help="this authority's own bulletins, and how far each has come")
def list_(app: App, *, selection: Selection, status: str, limit: int, mine: bool) -> Iterator[Answer]:
    """List the bulletins of the store, newest first; without a store, this authority's own bulletins.

    Filter by options, or in one line: --filter 'kind:data-breach country:XA text:"false date" since:2h'. One value of
    each field must match; all fields and texts must match. The last line says when there are more bulletins than it
    shows.
    """
    admitted = not mine and (app.state_folder() / frame.STORE_FILE).exists()
    listed, number = (_admitted if admitted else _said)(app, selection, Status(status), limit)
    if not listed:
        yield Answer(remarks=[f"the {'store' if admitted else 'outbox'} holds none of this status and kind"])
    for item in listed:
        bulletin, id_ = item.bulletin, item.row.id
        facts = {"id": id_, "digest": item.row.digest, "subject": item.row.subject, **item.facts}
        facts |= {**frame.marking(bulletin, app.now()), "headline": bulletin.info[0].headline}
        state = "" if admitted else f"{item.standing:<8}  "
        known = (*marks(bulletin, app.now()), *review.labels(bulletin), *sorted(item.labels))
        line = frame.BulletinLines(
            bulletin,
            item.labels,
            trust=item.trust,
            remark=item.short or id_,
            standing=item.standing,
            piped=f"{id_}  {state}{frame.one_line(bulletin, known)}",
        )
        yield Answer(facts, lines=[line])
    if listed and (number > len(listed) or frame.on_terminal()):
        told = f"{len(listed)} of {number} or more" if number == limit + 1 else f"{len(listed)} of {number}"
        more = f"; more: --limit {number}" if number > len(listed) else ""
        yield Answer(notes=[f"as of {frame.at(app.now())} UTC: {told}{more}"])


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list.

    Attributes:
        row: of the store or the outbox.
        bulletin: what it holds.
        facts: further values for JSON.
        standing: its state here; for an own bulletin, its step of the ladder.
        labels, trust: those of its admission.
        short: the shortest unique beginning of its id in the store; empty when unknown.
    """

    row: Row | Stored
    bulletin: Bulletin
    facts: dict[str, object]
    standing: str = "verified"
    labels: frozenset[str] = frozenset()
    trust: str = "fresh"
    short: str = ""


def _admitted(app: App, selection: Selection, status: Status, limit: int) -> tuple[list[Listed], int]:
    """The matching bulletins of the store, newest first, at most `limit`; and the number of all that match."""
    now = app.now()

    def question(db: sqlite3.Connection) -> tuple[list[tuple[Stored, str]], int]:
        rows = list(islice(picture.selected.newest(db, selection, status, now), limit))
        named = [(row, picture.selected.short(db, row.id)) for row in rows]
        if len(rows) < limit:
            return named, len(rows)
        if picture.index.waiting(db) > MOST_READ:
            return named, limit + 1
        return named, picture.selected.count(db, selection, status, now).number

    rows, number = frame.query_store(app, question)
    return [
        Listed(
            row=row,
            bulletin=row.bulletin,
            facts={"admitted_at": row.admitted_at, "labels": sorted(row.labels)},
            labels=row.labels,
            trust=row.trust,
            short=short,
        )
        for row, short in rows
    ], number


def _said(app: App, selection: Selection, status: Status, limit: int) -> tuple[list[Listed], int]:
    """The matching bulletins of the outbox, newest first, at most `limit`; and the number of all that match."""
    if not (app.state_folder() / frame.OUTBOX_FILE).exists():
        return [], 0
    now = app.now()
    most = limit + 1 if selection.is_any else ALL
    rows = frame.within(frame.open_outbox(app), lambda box: box.rows(limit=most, status=str(status)))
    if damaged := sum(not row.is_whole for row in rows):
        app.note(f"left out, because their bytes have changed: {damaged}; see tocsin outbox status")
    spoken = ((row, decode(row.payload)) for row in rows if row.is_whole)
    wanted = [(row, bulletin) for row, bulletin in spoken if selection.matches(bulletin, now)]
    listed = []
    for row, bulletin in wanted[:limit]:
        state = "accepted" if row.state == "kept" else row.state
        facts = {"kept_at": dt.datetime.fromtimestamp(row.kept_at, dt.UTC), "state": state}
        listed.append(Listed(row=row, bulletin=bulletin, facts=facts, standing=state))
    return listed, len(wanted)
