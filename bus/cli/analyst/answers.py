"""`tocsin answers` and `questions`: the answers to each bulletin, and the open questions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click
import msgspec

from bus import trust
from bus.cli import frame
from bus.cli.analyst.up_to_date import up_to_date
from bus.cli.frame import DONE, UNREACHABLE, Answer, App, NotFoundError, Table, at, command, completing
from bus.hub import picture
from schemas.vocab import Status

if TYPE_CHECKING:
    import sqlite3

    from bus.hub.picture import About
    from bus.trust import VerifiedRegistry
    from schemas.bodies.coordination import Feedback

LESS = ("id", "marking")
LESS_ASKED = ("asked", "answered by", "marking")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that counts: its bulletin, author, verdict, time and text."""

    about: str
    issuer: str
    by: str
    verdict: str
    at: dt.datetime
    id: str
    text: str | None
    status: str
    tlp: str
    audience: str


@command()
@click.argument("bulletin_id", metavar="[ID]", required=False, shell_complete=completing.bulletins)
@click.option(
    "--all", "every", is_flag=True, help="answers to bulletins of others too; a hub always shows them"
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--offline", is_flag=True, help="show only what this disk holds; do not read the bus")
async def answers(app: App, bulletin_id: str | None, *, every: bool, limit: int, offline: bool) -> Answer:
    """Show what others have answered to this authority's bulletins, or to the bulletin ID, newest first.

    ID is the id of any version, at least its first four characters, or a digest. The answers to all versions are shown.
    Each authority counts once for each verdict, until it withdraws it. Reads the bus first. If the bus does not
    answer, shows what this disk holds and exits 7.
    """
    registry, _ = frame.present_registry(app)
    me = app.identity.authority
    record = registry.document.authorities.get(me)
    is_hub = record is not None and record.kind == trust.HUB
    own: list[About] = []
    named = frame.Named(bulletin_id or "")
    if (app.state_folder() / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            if bulletin_id is not None:
                named = await frame.named_in_outbox(box, bulletin_id)
            own = await box.read(lambda db: picture.answers.own(db, me, named.id if bulletin_id else None))
    async with frame.open_store(app, make=True) as store:
        is_whole = offline or await up_to_date(app, store, registry)

        def look(db: sqlite3.Connection) -> list[Told]:
            if bulletin_id is not None:
                wanted = _versions(db, bulletin_id) or own
                if not wanted:
                    raise NotFoundError(
                        f"neither the store nor the outbox of this context holds {bulletin_id}",
                        remedy="ids: tocsin bulletin list",
                    )
                return [told for about in wanted for told in _told(db, about, registry)][:limit]
            whose = None if every or is_hub else me
            found = picture.answers.lately(db, own, limit, registry, whose)
            return [told for about in found for told in _told(db, about, registry)][:limit]

        found = sorted(await store.read(look), key=lambda told: (told.at, told.id), reverse=True)
    counts = picture.answers.counted(
        picture.Said(by=told.by, verdict=told.verdict, at=told.at, id=told.id, row=0) for told in found
    )
    rows = (
        (
            at(told.at),
            picture.answers.shown(told.verdict),
            told.by,
            marked(told.status, told.tlp, told.audience),
            told.text or "-",
            told.about,
            told.id,
        )
        for told in found
    )
    notes = [
        ", ".join(f"{n} {picture.answers.shown(verdict)}" for verdict, n in counts.items())
        or "nobody has answered"
    ]
    if not is_whole:
        notes.append("the bus could not be read to its end; this is what the store holds")
    return Answer(
        *found,
        table=Table(("at", "verdict", "by", "marking", "text", "about", "id"), rows, LESS),
        notes=notes,
        code=DONE if is_whole else UNREACHABLE,
    )


def _versions(db: sqlite3.Connection, wanted: str) -> list[About]:
    """Every version of a bulletin that the store holds."""
    named = frame.named_in_store(db, wanted)
    thread = named.thread
    if thread is None:
        return picture.answers.held(db, wanted)
    found = (about for each in sorted(frame.ids_of(db, named)) for about in picture.answers.held(db, each))
    return [about for about in found if about.channel.issuer == thread.issuer]


def _told(db: sqlite3.Connection, about: About, registry: VerifiedRegistry) -> list[Told]:
    return [
        Told(
            about=about.id,
            issuer=about.channel.issuer,
            by=said.by,
            verdict=said.verdict,
            at=said.at,
            id=said.id,
            status=str(about.channel.status),
            tlp=str(about.channel.tlp),
            audience=about.channel.audience,
            text=_words(picture.answers.body_of(db, said)),
        )
        for said in picture.answers.to_one(db, about, registry)
    ]


def _words(body: Feedback | None) -> str | None:
    """What an answer says besides its verdict: the authority it hands over to, the marking it asks for, the action, the count, and its text."""
    if body is None:
        return None
    parts = (
        f"to {body.handover_to}" if body.handover_to else "",
        f"TLP:{body.relax_to.upper()}" if body.relax_to else "",
        body.action or "",
        f"{body.seen_count} times" if body.seen_count else "",
        f"by {at(body.respond_by)}" if body.respond_by else "",
        body.text or "",
    )
    return ": ".join(part for part in (", ".join(filter(None, parts[:-1])), parts[-1]) if part) or None


def marked(status: str, tlp: str, audience: str) -> str:
    """The marking and audience of a bulletin, and its status unless that is `actual`."""
    return ("" if status == Status.ACTUAL else f"[{status.upper()}] ") + f"TLP:{tlp.upper()} {audience}"


@command()
@click.option("--all", "every", is_flag=True, help="also questions that are answered or expired")
@click.option("--mine", is_flag=True, help="only those that this authority must answer")
@click.option("--overdue", is_flag=True, help="only those that are overdue")
@click.option("--offline", is_flag=True, help="show only what this disk holds; do not read the bus")
async def questions(app: App, *, every: bool, mine: bool, overdue: bool, offline: bool) -> Answer:
    """Show the open questions: who asks, who must answer, by when, and who has answered.

    Shows requests for information (kind rfi) and questions in answers. An answer from an authority that must answer
    closes a question: tocsin answer ID --reply TEXT. Reads the bus first; exits 7 when the bus does not answer.
    """
    registry, now = frame.present_registry(app)
    me = app.identity.authority
    async with frame.open_store(app, make=True) as store:
        is_whole = offline or await up_to_date(app, store, registry)
        asked = await store.read(lambda db: picture.questions.questions(db, now, registry, every=every))
    found = [
        each
        for each in asked
        if (not mine or picture.questions.is_of(me, each.owner, registry))
        and (not overdue or each.state == picture.questions.OVERDUE)
    ]
    rows = (
        (
            each.state,
            at(each.due),
            each.asked_by,
            ", ".join(each.owner),
            each.question,
            ", ".join(each.answered_by) or "-",
            at(each.asked),
            marked(Status.ACTUAL, each.tlp, each.audience),
            each.id,
        )
        for each in found
    )
    late = sum(each.state == picture.questions.OVERDUE for each in found)
    count = "1 question" if len(found) == 1 else f"{len(found)} questions"
    notes = [f"{count}, {late} overdue" if found else "no question is open"]
    if not is_whole:
        notes.append("the bus could not be read to its end; this is what the store holds")
    columns = ("state", "due", "asked by", "owner", "question", "answered by", "asked", "marking", "id")
    return Answer(
        *found, table=Table(columns, rows, LESS_ASKED), notes=notes, code=DONE if is_whole else UNREACHABLE
    )
