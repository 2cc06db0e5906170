"""Options of the commands that send drafts; `sending` sends them."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from bus.cli.frame import completing
from bus.cli.frame.commands import Declare

TLPS = ("red", "amber+strict", "amber", "green", "clear")
WAIT_S = {"accepted": 5.0, "stored": 5.0, "received": 30.0, "read": 300.0}


class Wait(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """Parses `STATE` or `STATE=SECONDS`."""

    name = "state[=seconds]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float | None]:
        """(state, seconds or None for the usual time)."""
        state, _, seconds = value.partition("=")
        if state not in WAIT_S:
            self.fail(f"{state!r} is none of: {', '.join(WAIT_S)}", param, ctx)
        try:
            return state, float(seconds) if seconds else None
        except ValueError:
            self.fail(f"{seconds!r} is not a number of seconds", param, ctx)


def tlp_option(*levels: str) -> Declare[Any]:
    """The option `--tlp`: one of these levels, instead of the draft's own."""
    return click.option("--tlp", type=click.Choice(levels), help="marking instead of the draft's")


audience_option = click.option(
    "--audience",
    shell_complete=completing.audiences,
    help="sharing group or organisation instead of the draft's",
)
wait_option = click.option(
    "--wait",
    type=Wait(),
    default="stored",
    show_default=True,
    help="state to wait for: accepted, stored, received or read; =SECONDS limits the wait",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="check and address the draft; sign and keep nothing"
)
without_option = click.option(
    "--without",
    multiple=True,
    metavar="ID",
    help="do not seal to this reader, who then cannot open the sealed parts; repeat",
)

reviewed_option = click.option(
    "--reviewed",
    metavar="REASON",
    help="a person has checked the doubts; REASON says why the draft is right, and is kept in the audit record",
)


again_option = click.option(
    "--again", is_flag=True, help="send it even if the same draft was accepted a short time ago"
)


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How drafts are sent.

    Attributes:
        audience: replaces the draft's own.
        tlp: replaces the draft's own.
        wait: the state to wait for, and the seconds; None is the usual time of the state.
        dry_run: sign and keep nothing.
        without: readers for whom nothing is sealed.
        seal: seal every draft.
        reviewed: why the doubts are right; None if no person has looked.
        again: whether to send a draft that was accepted a short time ago; None does not ask.
    """

    audience: str | None = None
    tlp: str | None = None
    wait: tuple[str, float | None] = ("stored", None)
    dry_run: bool = False
    without: tuple[str, ...] = ()
    seal: bool = False
    reviewed: str | None = None
    again: bool | None = None
