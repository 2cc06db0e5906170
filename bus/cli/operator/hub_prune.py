"""`tocsin hub prune`: personal data whose time is over, and old talk between programs, go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command

if TYPE_CHECKING:
    from bus.hub.retention import LetGo


@command(None, "prune")
@click.option("--dry-run", is_flag=True, help="count, and let go of nothing")
def prune(app: App, *, dry_run: bool) -> None:
    """Erase bulletins whose personal data may be kept no longer, and prune old heartbeats, receipts, requests and copies.

    By `personal_data.retention_until` of each, in force or not, in quarantine too; hub run does the same every hour. What
    is pruned is 30 days old, and not the last of its channel or needed as evidence. Places and digests stay, so the chains
    can be checked as before (tocsin trace says what became of a bulletin).
    """
    from bus.cli.frame.audit import record
    from bus.cli.frame.session import open_store
    from bus.hub import retention

    async def work() -> LetGo:
        async with open_store(app) as store:
            return await store.write(lambda db: retention.let_go(db, app.now(), rehearse=dry_run))

    found = asyncio.run(work())
    if found.erased and not dry_run:
        record(app, "personal-data-erased", count=found.erased)
    if app.json:
        app.data(found)
        return
    would = "would be " if dry_run else ""
    app.note(f"{would}erased, the retention of their personal data is over: {found.erased}")
    app.note(f"{would}pruned, old talk between programs: {found.pruned}")
