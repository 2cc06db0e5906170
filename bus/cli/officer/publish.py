"""`tocsin publish`: signs drafts, sends them, and reports how far each bulletin has come."""

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
    """Sign and send drafts (JSON or TOML; - is standard input). Their sections are sealed.

    Exits 0 when every bulletin has reached the state that --wait names, 75 when it is safe on this disk but the bus
    has not acknowledged it yet, 5 when a draft is refused, 8 when some of several are, or when it is stored and hubs
    have not answered in time (--wait received: every hub that may read it has admitted it; read: a person there has
    read it).
    """
    return await frame.send_drafts(app, [(name, frame.DraftFile(name)) for name in files], sending)
