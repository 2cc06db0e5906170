"""`tocsin bulletin`: begin a draft, check it, look at bulletins."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shlex
import subprocess
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.frame import REFUSED, App, Group, command, find_bulletin, hint, on_terminal

if TYPE_CHECKING:
    import sqlite3

    from bus.publishing import Row
    from bus.subscribing import Stored

ALL = 1_000_000


@click.group(cls=Group)
def bulletin() -> None:
    """Drafts and bulletins."""


def check_kind(kind: str) -> None:
    """Refuse a kind that there is not, with the nearest."""
    from schemas.bodies import KINDS

    if kind not in KINDS:
        raise click.UsageError(f"there is no kind {kind!r}{hint(kind, KINDS)}")


@command(bulletin, "draft")
@click.argument("kind")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="write it here and open it in $EDITOR; otherwise it is printed",
)
def draft(app: App, kind: str, *, out: Path | None) -> None:
    """Begin a draft of KIND: a commented TOML file with every field, its bounds, and the words it takes."""
    from bus.cli.officer.template import template

    check_kind(kind)
    text = template(kind, app.now())
    if out is None:
        if app.json:
            app.data({"kind": kind, "toml": text})
        else:
            click.echo(text, nl=False)
        return
    if out.exists():
        raise click.UsageError(f"{out} is there already; choose a new name")
    out.write_text(text, "utf-8")
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if editor and app.may_ask():
        subprocess.run([*shlex.split(editor), str(out)], check=False)
    app.note(f"draft written to {out}; check it: tocsin bulletin check {out}")


@command(bulletin, "check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def check(app: App, files: tuple[str, ...]) -> None:
    """Check drafts as `publish` would, and tell every rule that fails, with its path. Exits 5 if one does."""
    from bus.cli.frame import InputFileError, read_draft
    from schemas.errors import RuleError, SchemaError, TocsinError, Violation
    from schemas.lint import lint

    failed = 0
    for name in files:
        broken: tuple[Violation, ...] = ()
        try:
            _stamped(app, name)
        except RuleError as exc:
            broken = exc.violations
        except SchemaError as exc:
            broken = (Violation(exc.reason, exc.path or "$", str(exc).removeprefix(f"{name}: ")),)
        except InputFileError as exc:
            if len(files) == 1:
                raise
            broken = (Violation(exc.reason, "$", str(exc)),)
        except TocsinError as exc:
            broken = (Violation(exc.reason, "$", str(exc)),)
        else:
            for remark in lint(read_draft(name)):
                app.note(f"{name}: {remark.path}: {remark.text}; it is carried all the same")
        failed += bool(broken)
        if app.json:
            app.data({"file": name, "ok": not broken, "violations": [each._asdict() for each in broken]})
        elif broken:
            for each in broken:
                app.line(f"{name}: {each.rule} at {each.path}: {each.text}")
        else:
            app.line(f"{name}: ok")
    if failed:
        raise click.exceptions.Exit(REFUSED)


def _stamped(app: App, name: str) -> None:
    """Stamp a draft as the context's authority, or as nobody in particular, and check everything."""
    import secrets

    from bus.cli.frame import defaults, open_registry, read_draft
    from bus.errors import ConfigError
    from bus.sealing import sections
    from schemas import rules
    from schemas.bulletin import Defaults, new_id, stamp
    from schemas.codec import decode, encode
    from schemas.parts import Authority
    from schemas.vocab import Domain, Pap, Tlp

    now = app.now()
    read = read_draft(name)
    registry = None
    try:
        _, context = app.context()
        registry = open_registry(context, now)
        issuer, given = registry.issuer(context.authority), defaults(context)
    except ConfigError:
        issuer = Authority(id="xa-nobody", kind="other", domain=Domain.COORD, country="XA")
        given = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    made = stamp(
        read,
        id=new_id(now, secrets.token_bytes(10)),
        seq=1,
        prev=None,
        issuer=issuer,
        issued=now,
        defaults=given,
    )
    made = decode(encode(made))
    rules.check(made)
    if registry is not None:
        registry.permit(made)
    sections.judge_section(made, read.sections, registry)


@command(bulletin, "show")
@click.argument("bulletin_id", metavar="ID")
@click.option(
    "--raw",
    "--file",
    "raw",
    is_flag=True,
    help="the signed file form (*.tocsin.json), which `verify` accepts",
)
def show(app: App, bulletin_id: str, *, raw: bool) -> None:
    """Show one bulletin of the store or the outbox; ID is an id or a digest.

    What is sealed in it to this identity is opened and shown too, when the context names its seal keys.
    """
    from bus.cli.frame import Unsealer, opened_data, readable, show_inside
    from schemas.codec import decode, digest

    signature, payload = asyncio.run(find_bulletin(app, bulletin_id))
    if raw:
        from bus.cli.frame import record
        from schemas.codec import digest
        from schemas.envelope import parse_header, write_signed

        record(
            app, "exported", digest=digest(payload)
        )  # first, so that nothing goes out that is not recorded
        click.echo(write_signed(payload, parse_header(signature)).decode(), nl=False)
        return
    seen = Unsealer(app, "show").look(decode(payload), digest(payload))
    if app.json:
        inside = opened_data(seen)
        app.data({"bulletin": msgspec.Raw(payload), **inside} if inside else msgspec.Raw(payload))
        return
    app.block(readable(payload))
    show_inside(app, seen)


@command(bulletin, "list")
@click.option("--kind", help="only this kind")
@click.option(
    "--status",
    type=click.Choice(["actual", "exercise", "system", "test"]),
    default="actual",
    show_default=True,
    help="of this status; never two in one list",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--mine", is_flag=True, help="what this authority has said itself, and how far each has come")
def list_(app: App, *, kind: str | None, status: str, limit: int, mine: bool) -> None:
    """List bulletins, newest first: those of the store, or without one what this authority has said itself."""
    from bus.cli.frame import STORE_FILE

    if kind is not None:
        check_kind(kind)

    if mine or not (app.state_folder() / STORE_FILE).exists():
        _list_said(app, kind, status, limit)
    else:
        _list_admitted(app, kind, status, limit)


def _list_admitted(app: App, kind: str | None, status: str, limit: int) -> None:
    from bus.cli.frame import marking, one_line, query_store, show_bulletin
    from bus.subscribing import stored

    def question(db: sqlite3.Connection) -> list[Stored]:
        newest = (stored(row) for row in db.execute("SELECT * FROM admitted ORDER BY row DESC"))
        return list(
            islice(
                (
                    row
                    for row in newest
                    if row.bulletin.status == status and kind in (None, row.bulletin.kind)
                ),
                limit,
            )
        )

    found = query_store(app, question)
    if not found:
        app.note("the store holds none of this status and kind")
    for row in found:
        if app.json:
            app.data(
                {
                    "id": row.id,
                    "digest": row.digest,
                    "subject": row.subject,
                    "admitted_at": row.admitted_at,
                    "labels": sorted(row.labels),
                    **marking(row.bulletin),
                    "headline": row.bulletin.info[0].headline,
                }
            )
        elif on_terminal():
            show_bulletin(app, row.bulletin, row.labels, trust=row.trust, remark=row.id)
        else:
            app.line(f"{row.id}  {one_line(row.bulletin, row.labels)}")


def _list_said(app: App, kind: str | None, status: str, limit: int) -> None:
    from bus.cli.frame import OUTBOX_FILE, marking, one_line, open_outbox, show_bulletin
    from schemas.codec import decode

    async def rows() -> list[Row]:
        if not (app.state_folder() / OUTBOX_FILE).exists():
            return []
        async with open_outbox(app) as box:
            return await box.rows(limit=limit if kind is None else ALL, status=status)

    spoken = ((row, decode(row.payload)) for row in asyncio.run(rows()))
    found = list(islice(((row, b) for row, b in spoken if kind in (None, b.kind)), limit))
    if not found:
        app.note("the outbox holds none of this status and kind")
    for row, said in found:
        state = "accepted" if row.state == "kept" else row.state
        if app.json:
            app.data(
                {
                    "id": row.id,
                    "digest": row.digest,
                    "subject": row.subject,
                    "kept_at": dt.datetime.fromtimestamp(row.kept_at, dt.UTC),
                    "state": state,
                    **marking(said),
                    "headline": said.info[0].headline,
                }
            )
        elif on_terminal():
            show_bulletin(app, said, remark=row.id, standing=state)
        else:
            app.line(f"{row.id}  {state:<8}  {one_line(said)}")
