"""Options of the commands that send drafts, and how drafts are sent by them; `sending` does it."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from bus.cli.frame import completing
from bus.cli.frame.commands import Declare

TLPS = ("red", "amber+strict", "amber", "green", "clear")
WAIT_S = {"accepted": 5.0, "stored": 5.0, "received": 30.0, "read": 300.0}


class Wait(click.ParamType):  # type: ignore[type-arg]  # generic only in its stubs
    """`STATE` or `STATE=SECONDS`."""

    name = "state[=seconds]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float | None]:
        """Split and check."""
        state, _, seconds = value.partition("=")
        if state not in WAIT_S:
            self.fail(f"{state!r} is none of: {', '.join(WAIT_S)}", param, ctx)
        try:
            return state, float(seconds) if seconds else None
        except ValueError:
            self.fail(f"{seconds!r} is no number of seconds", param, ctx)


def tlp_option(*levels: str) -> Declare[Any]:
    """`--tlp`: one of these, another than the draft's own."""
    return click.option("--tlp", type=click.Choice(levels), help="marking, instead of the draft's")


audience_option = click.option(
    "--audience",
    shell_complete=completing.audiences,
    help="sharing group or organisation, instead of the draft's",
)
wait_option = click.option(
    "--wait",
    type=Wait(),
    default="stored",
    show_default=True,
    help="how far to wait: accepted, stored, received or read, with =SECONDS",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="stamp, validate, permit and address; sign and keep nothing"
)
without_option = click.option(
    "--without",
    multiple=True,
    metavar="ID",
    help="leave this reader out of what is sealed: it will not be able to open it; repeat",
)

reviewed_option = click.option(
    "--reviewed",
    metavar="REASON",
    help="somebody has looked at what only a person can judge, and why it is right; it is kept in the audit record",
)


again_option = click.option(
    "--again", is_flag=True, help="send it though the same draft was accepted a short time ago"
)


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How drafts are sent.

    Attributes:
        audience: instead of the draft's own.
        tlp: instead of the draft's own.
        wait: the state to wait for, and how many seconds; the state's usual time where that is None.
        dry_run: sign and keep nothing.
        without: readers for whom nothing is sealed.
        seal: seal every draft.
        reviewed: why what a person must look at is right; None where nobody has looked.
        again: whether a draft is meant that was accepted a short time ago; None does not ask.
    """

    audience: str | None = None
    tlp: str | None = None
    wait: tuple[str, float | None] = ("stored", None)
    dry_run: bool = False
    without: tuple[str, ...] = ()
    seal: bool = False
    reviewed: str | None = None
    again: bool | None = None
