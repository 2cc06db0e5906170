"""`tocsin publish`: drafts become signed bulletins, and you are told how far each has come."""

from __future__ import annotations

import click

from bus.cli import frame
from bus.cli.frame import (
    TLPS,
    Answer,
    App,
    Sending,
    again_option,
    audience_option,
    command,
    completing,
    dry_run_option,
    gathered,
    reviewed_option,
    tlp_option,
    wait_option,
    without_option,
)


@command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)
@gathered(
    "sending",
    Sending,
    audience_option,
    tlp_option(*TLPS),
    wait_option,
    dry_run_option,
    without_option,
    reviewed_option,
    again_option,
)
async def publish(app: App, files: tuple[str, ...], *, sending: Sending) -> list[Answer]:
    """Sign and send drafts (JSON or TOML; - is standard input), their sections sealed.

    Exits 0 when every bulletin is as far as asked, 75 when it is safe on this disk but the bus has not
    acknowledged it yet, 5 when a draft is refused, 8 when some of several are, or when it is stored and
    hubs have not answered in time (--wait received: admitted by every hub that may read it; read: by a person there).
    """
    return await frame.send_drafts(app, [(name, frame.DraftFile(name)) for name in files], sending)
