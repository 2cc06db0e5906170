"""`tocsin publish`: drafts become signed bulletins, and you are told how far each has come."""

from __future__ import annotations

import asyncio

import click

from bus.cli.frame import (
    App,
    command,
    dry_run_option,
    marking_options,
    send_files,
    wait_option,
    without_option,
)

"""A draft that is still to be read or made, and what it is called when it is refused."""


@command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@marking_options
@wait_option
@dry_run_option
@without_option
def publish(
    app: App,
    files: tuple[str, ...],
    *,
    audience: str | None,
    tlp: str | None,
    wait: tuple[str, float | None],
    dry_run: bool,
    without: tuple[str, ...],
) -> None:
    """Sign and send drafts (JSON or TOML; - is standard input), their sections sealed.

    Exits 0 when every bulletin is as far as asked, 75 when it is safe on this disk but the bus has not
    acknowledged it yet, 5 when a draft is refused, 8 when some of several are, or when it is stored and
    hubs have not answered in time (--wait received: admitted by every hub that may read it; read: by a person there).
    """
    code = asyncio.run(send_files(app, files, audience, tlp, wait, dry_run=dry_run, without=without))
    if code:
        raise click.exceptions.Exit(code)
