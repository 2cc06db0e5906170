"""`tocsin bulletin`: begin a draft, check it, look at bulletins."""

from __future__ import annotations

import datetime as dt
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FILE,
    REFUSED,
    STATUS,
    Answer,
    App,
    Group,
    InputFileError,
    command,
    completing,
    must_be_known,
    must_be_new,
    reviewed_option,
)
from bus.cli.officer.template import template
from bus.errors import ConfigError
from bus.hub import picture
from schemas import review
from schemas.bodies import KINDS
from schemas.bulletin import Defaults
from schemas.codec import decode, digest
from schemas.envelope import file_form
from schemas.errors import RuleError, TocsinError, Violation
from schemas.parts import Authority
from schemas.passing_on import marks, sentences
from schemas.vocab import Domain, Pap, Status, Tlp

if TYPE_CHECKING:
    import sqlite3

    from bus.cli.frame import Judgement
    from bus.publishing import Row
    from bus.subscribing import Stored
    from schemas.bulletin import Bulletin

ALL = 1_000_000


@click.group(cls=Group)
def bulletin() -> None:
    """Drafts and bulletins."""


@command(bulletin, "draft")
@click.argument("kind", shell_complete=completing.kinds)
@click.option("--out", type=FILE, help="write it here and open it in $EDITOR; otherwise it is printed")
def draft(app: App, kind: str, *, out: Path | None) -> Answer:
    """Begin a draft of KIND: a commented TOML file with every field, its bounds, and the words it takes."""
    must_be_known("kind", kind, KINDS)
    text = template(kind, app.now())
    if out is None:
        return Answer({"kind": kind, "toml": text}, raw=text)
    must_be_new(out)
    out.write_text(text, "utf-8")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor and app.may_ask():
        subprocess.run([*shlex.split(editor), str(out)], check=False)
    return Answer(remarks=[f"draft written to {out}; check it: tocsin bulletin check {out}"])


@command(bulletin, "check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)
@reviewed_option
def check(app: App, files: tuple[str, ...], *, reviewed: str | None) -> Iterator[Answer]:
    """Check drafts as `publish` would, and tell every rule that fails, with its path. Exits 5 if one does.

    What a person must look at first (telephone numbers, number plates, text that was not filled in) fails too, until
    --reviewed says why it is right.
    """
    for name in files:
        broken: tuple[Violation, ...] = ()
        odd: tuple[Violation, ...] = ()
        try:
            found = _check(app, name)
        except RuleError as exc:
            broken = exc.violations
        except TocsinError as exc:
            if isinstance(exc, InputFileError) and len(files) == 1:
                raise
            path = getattr(exc, "path", "") or "$"
            broken = (Violation(exc.reason, path, str(exc).removeprefix(f"{name}: ")),)
        else:
            broken = tuple(found.doubts) if reviewed is None else ()
            odd = found.remarks
        yield Answer(
            {"file": name, "ok": not broken, "violations": [rule._asdict() for rule in broken]},
            lines=[f"{name}: {rule.rule} at {rule.path}: {rule.text}" for rule in broken] or [f"{name}: ok"],
            remarks=[f"{name}: {each.path}: {each.text}; it is carried all the same" for each in odd],
            code=REFUSED if broken else DONE,
        )


def _check(app: App, name: str) -> Judgement:
    """Stamp a draft as the context's authority, or as nobody in particular, and check everything."""
    now = app.now()
    draft = frame.read_draft(name)
    registry = None
    try:
        registry = frame.open_registry(app, now)
        issuer, given = registry.issuer(app.identity.authority), frame.defaults(app.identity)
    except ConfigError:
        issuer = Authority(id="xa-nobody", kind="other", domain=Domain.COORD, country="XA")
        given = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    return frame.judged(draft, issuer, given, now, registry)


@command(bulletin, "show")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.option(
    "--raw",
    "--file",
    "raw",
    is_flag=True,
    help="the signed file form (*.tocsin.json), which `verify` accepts",
)
def show(app: App, bulletin_id: str, *, raw: bool) -> Iterable[Answer]:
    """Show one bulletin of the store or the outbox; ID is an id or a digest.

    What is sealed in it to this identity is opened and shown too, when the context names its seal keys.
    """
    signature, payload = frame.find_bulletin(app, bulletin_id)
    found = decode(payload)
    if raw:
        frame.must_not_be_held(app, found)
        # First, so that nothing goes out that is not recorded.
        frame.record(app, "exported", digest=digest(payload))
        return [Answer(raw=file_form(payload, signature).decode())]
    seen = frame.Unsealer(app, "show").look(found, digest(payload))
    opened = frame.opened_data(seen)
    facts = {"bulletin": msgspec.Raw(payload), **opened} if opened else msgspec.Raw(payload)
    return [
        Answer(facts, lines=frame.readable(payload)),
        *frame.inside(seen),
        *frame.ties(seen.bulletin),
        Answer(notes=sentences(seen.bulletin, app.now())),
    ]


@command(bulletin, "list")
@click.option("--kind", shell_complete=completing.kinds, help="only this kind")
@click.option(
    "--status", type=STATUS, default="actual", show_default=True, help="of this status; never two in one list"
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--mine", is_flag=True, help="what this authority has said itself, and how far each has come")
def list_(app: App, *, kind: str | None, status: str, limit: int, mine: bool) -> Iterator[Answer]:
    """List bulletins, newest first: those of the store, or without one what this authority has said itself."""
    if kind is not None:
        must_be_known("kind", kind, KINDS)
    admitted = not mine and (app.state_folder() / frame.STORE_FILE).exists()
    listed = _admitted(app, kind, status, limit) if admitted else _said(app, kind, status, limit)
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
            remark=id_,
            standing=item.standing,
            piped=f"{id_}  {state}{frame.one_line(bulletin, known)}",
        )
        yield Answer(facts, lines=[line])


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list.

    Attributes:
        row: of the store or the outbox.
        bulletin: what it holds.
        facts: what JSON tells beside that.
        standing: what is known of it here; of one's own, how far it has come.
        labels, trust: as it was admitted.
    """

    row: Row | Stored
    bulletin: Bulletin
    facts: dict[str, object]
    standing: str = "verified"
    labels: frozenset[str] = frozenset()
    trust: str = "fresh"


def _admitted(app: App, kind: str | None, status: str, limit: int) -> list[Listed]:
    """Those of the store, newest first."""

    def question(db: sqlite3.Connection) -> list[Stored]:
        return list(islice(picture.summary.newest(db, Status(status), kind), limit))

    return [
        Listed(
            row=row,
            bulletin=row.bulletin,
            facts={"admitted_at": row.admitted_at, "labels": sorted(row.labels)},
            labels=row.labels,
            trust=row.trust,
        )
        for row in frame.query_store(app, question)
    ]


def _said(app: App, kind: str | None, status: str, limit: int) -> list[Listed]:
    """Those of the outbox, newest first."""
    if not (app.state_folder() / frame.OUTBOX_FILE).exists():
        return []
    most = limit if kind is None else ALL
    rows = frame.within(frame.open_outbox(app), lambda box: box.rows(limit=most, status=status))
    if damaged := sum(not row.is_whole for row in rows):
        app.note(f"left out, because their bytes have changed: {damaged}; tocsin outbox status says more")
    spoken = ((row, decode(row.payload)) for row in rows if row.is_whole)
    wanted = ((row, bulletin) for row, bulletin in spoken if kind in (None, bulletin.kind))
    listed = []
    for row, bulletin in islice(wanted, limit):
        state = "accepted" if row.state == "kept" else row.state
        facts = {"kept_at": dt.datetime.fromtimestamp(row.kept_at, dt.UTC), "state": state}
        listed.append(Listed(row=row, bulletin=bulletin, facts=facts, standing=state))
    return listed
