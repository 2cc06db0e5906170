"""`tocsin hub decide`: a person has looked at a contradiction."""

from __future__ import annotations

import asyncio

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import command
from bus.cli.frame.text import NotFoundError


@command(None, "decide")
@click.argument("channel")
@click.option("--reason", required=True, help="why, in words, for the audit record")
@click.option("--yes", is_flag=True, help="do not ask")
def decide(app: App, channel: str, *, reason: str, yes: bool) -> None:
    """Say that the issuer of CHANNEL (xa-csirt/actual.green.community) was asked, and what it says counts again.

    Until then all that it says is labelled contested, and supersedes and withdraws nothing. What it said meanwhile takes
    effect now, the alarm ends, and the evidence stays (tocsin bulletin proof). A further contradiction is to be decided
    anew. Exits 3 when there is nothing to decide.
    """
    from bus.cli.frame.audit import record
    from bus.cli.frame.session import open_store

    _, context = app.context()
    if not yes:
        app.confirm(
            "Has its issuer said, by another way than this channel, which of the two is its own?",
            flag="--yes",
        )

    async def work() -> tuple[int, bool]:
        async with open_store(app) as store:
            return await store.decide(channel, context.authority, reason, app.now())

    count, frozen = asyncio.run(work())
    if not count:
        raise NotFoundError(f"nothing is to be decided on {channel}; tocsin channels --alarms lists what is")
    record(app, "override", what="fork-decided", channel=channel, reason=reason)
    issuer = channel.partition("/")[0]
    if app.json:
        app.data({"channel": channel, "decided": count, "contested": frozen})
    elif frozen:
        app.note(
            f"decided; {issuer} contradicts itself on another channel too, and stays contested until that is"
        )
    else:
        app.note(f"decided; what {issuer} says counts again")
