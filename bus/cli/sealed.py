"""`tocsin bulletin seal` and `tocsin bulletin open`: what only named recipients can read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli.app import App, command
from bus.cli.publish import Wait, send

if TYPE_CHECKING:
    from bus.admission import Admitted


@command(name="seal")
@click.argument("files", nargs=-1, required=True, metavar="DRAFT...")
@click.option("--audience", help="sharing group or organisation, instead of the draft's")
@click.option(
    "--tlp",
    type=click.Choice(["red", "amber+strict", "amber", "green"]),
    help="marking, instead of the draft's",
)
@click.option(
    "--without",
    multiple=True,
    metavar="ID",
    help="leave this reader out: it will not be able to open it; repeat",
)
@click.option(
    "--wait",
    type=Wait(),
    default="stored",
    show_default=True,
    help="how far to wait: accepted, stored[=SECONDS]",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="stamp, validate, permit and address, and say to whom it would be sealed; sign and keep nothing",
)
def seal(
    app: App,
    files: tuple[str, ...],
    *,
    audience: str | None,
    tlp: str | None,
    without: tuple[str, ...],
    wait: tuple[str, float | None],
    dry_run: bool,
) -> None:
    """Publish drafts sealed: encrypted to those who read the channel by grant, each with its valid seal key.

    Not even the broker's operator reads them. Refused, naming who has no valid seal key, unless that reader is left
    out by --without. Exit codes are those of `publish`.
    """
    code = asyncio.run(send(app, files, audience, tlp, wait, dry_run=dry_run, seal=True, without=without))
    if code:
        raise click.exceptions.Exit(code)


@command(name="open")
@click.argument("name", metavar="FILE|ID")
@click.option(
    "--seal-key",
    "key_file",
    type=click.Path(path_type=Path),
    help="seal key, or folder of seal keys, instead of the context's",
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="file holding its passphrase")
@click.option("--raw", is_flag=True, help="the signed file that was inside, which `verify` accepts")
def open_(app: App, name: str, *, key_file: Path | None, passphrase_file: Path | None, raw: bool) -> None:
    """Open a sealed bulletin: a file (*.tocsin.json), or one that this context holds, by id or digest.

    Both halves are verified and compared. Exits 6 with the reason code when they do not stand or do not open.
    """
    from bus.admission import verify_file
    from bus.cli.session import open_registry, open_seal_keys, record
    from bus.unsealing import open_bulletin
    from schemas.envelope import parse_header, write_signed
    from schemas.errors import TocsinError

    now = app.now()
    registry = open_registry(app.context()[1], now)
    outer = verify_file(_file(app, name), registry=registry, now=now)
    keys = open_seal_keys(app, key_file, passphrase_file)
    what = {"id": outer.bulletin.id, "digest": outer.digest, "issuer": outer.bulletin.issuer.id}
    try:
        inner = open_bulletin(outer.bulletin, keys, registry=registry, now=now)
    except TocsinError as exc:
        record(app, "not-opened", reason=exc.reason, **what)
        raise
    record(app, "opened", raw=raw, **what)  # first, so that nothing is shown that is not recorded
    if raw:
        click.echo(write_signed(inner.payload, parse_header(inner.signature)).decode(), nl=False)
        return
    _show(app, outer, inner)


def _show(app: App, outer: Admitted, inner: Admitted) -> None:
    recipients = list(getattr(outer.bulletin.body, "recipients", ()))
    if app.json:
        app.data(
            {
                "bulletin": msgspec.Raw(inner.payload),
                "digest": inner.digest,
                "outer_digest": outer.digest,
                "recipients": recipients,
                "labels": sorted(outer.labels | inner.labels),
                "trust": str(inner.trust),
            }
        )
        return
    app.note(
        f"opened and verified: signed by {inner.bulletin.issuer.name}, sealed to {', '.join(recipients)}; trust {inner.trust}"
    )
    app.block(msgspec.json.format(inner.payload, indent=2).decode())


def _file(app: App, name: str) -> bytes:
    """The signed file of a name: a path that is there, else an id or digest that the context holds."""
    from bus.cli.bulletin import find
    from bus.cli.verify import read_file
    from schemas.envelope import parse_header, write_signed

    if Path(name).exists() or name.endswith(".json"):
        return read_file(Path(name))
    signature, payload = asyncio.run(find(app, name))
    return write_signed(payload, parse_header(signature))
