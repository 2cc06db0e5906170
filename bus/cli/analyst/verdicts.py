"""The flags of `tocsin answer`: the verdicts, and the options of each."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import click
import msgspec

from bus.cli.frame import TLPS, Since, completing, gathered
from schemas.answering import NEEDS_TEXT
from schemas.vocab import FeedbackKind


class Said(NamedTuple):
    """A flag: its verdict, and its help."""

    verdict: FeedbackKind
    help: str


VERDICTS = {
    "sighting": Said(FeedbackKind.SIGHTING, help="it was seen here too; --seen gives the number of times"),
    "endorse": Said(FeedbackKind.ENDORSE, help="we confirm it"),
    "dispute": Said(FeedbackKind.DISPUTE, help="it is wrong; TEXT says why"),
    "false-positive": Said(FeedbackKind.FALSE_POSITIVE, help="what it names is harmless; TEXT says why"),
    "action-taken": Said(FeedbackKind.ACTION_TAKEN, help="we did something about it; --action names it"),
    "question": Said(FeedbackKind.QUESTION, help="ask its author a question; --within sets the deadline"),
    "reply": Said(
        FeedbackKind.REPLY,
        help="reply to a question or a request for information",
    ),
    "handover": Said(FeedbackKind.HANDOVER, help="another authority takes it over; --to names it"),
    "relax-marking": Said(
        FeedbackKind.REQUEST_UPGRADE,
        help="ask its author to publish it at a wider marking; --marking names it",
    ),
}
"""The flags, in the order of the help."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The flags that were given, with their options."""

    sighting: bool = False
    endorse: bool = False
    dispute: bool = False
    false_positive: bool = False
    action_taken: bool = False
    question: bool = False
    reply: bool = False
    handover: bool = False
    relax_marking: bool = False
    withdraw: bool = False
    to: str | None = None
    marking: str | None = None
    within: dt.timedelta | None = None
    action: str | None = None
    seen: int | None = None

    @property
    def flags(self) -> list[str]:
        """The names of the given flags that are verdicts."""
        return [name for name in VERDICTS if getattr(self, name.replace("-", "_"))]


chosen_options = gathered(
    "chosen",
    Chosen,
    *(click.option(f"--{name}", is_flag=True, help=each.help) for name, each in VERDICTS.items()),
    click.option("--withdraw", is_flag=True, help="withdraw our answers; with a verdict, only those"),
    click.option(
        "--to",
        metavar="AUTHORITY",
        shell_complete=completing.authorities,
        help="with --handover: the authority that takes it over",
    ),
    click.option(
        "--marking", type=click.Choice(TLPS[1:]), help="with --relax-marking: the marking you ask for"
    ),
    click.option("--within", type=Since(), help="with --question: the time for an answer, such as 2h"),
    click.option(
        "--action",
        metavar="WORD",
        help="with --action-taken: a word of action-kind (tocsin vocab action-kind)",
    ),
    click.option(
        "--seen", type=click.IntRange(1, 2_000_000_000), help="with --sighting: the number of times"
    ),
)
_BELONGS = {
    "to": "handover",
    "marking": "relax-marking",
    "within": "question",
    "action": "action-taken",
    "seen": "sighting",
}


def must_fit(chosen: Chosen, text: str | None) -> None:
    """Refuse flags that do not go together.

    Raises:
        click.UsageError: names the option that is missing or does not belong.
    """
    if len(chosen.flags) != 1 and not (chosen.withdraw and not chosen.flags):
        names = ", ".join(f"--{name}" for name in VERDICTS)
        raise click.UsageError(f"choose one: {names}, or --withdraw")
    name = chosen.flags[0] if chosen.flags else ""
    for option, flag in _BELONGS.items():
        if getattr(chosen, option) is not None and (name != flag or chosen.withdraw):
            raise click.UsageError(f"--{option} goes with --{flag}")
    if chosen.withdraw:
        return
    if VERDICTS[name].verdict in NEEDS_TEXT and not text:
        raise click.UsageError(f'--{name} needs a sentence: tocsin answer ID --{name} "..."')
    if chosen.handover and chosen.to is None:
        raise click.UsageError("--handover needs --to AUTHORITY, the one that takes it over")
    if chosen.relax_marking and chosen.marking is None:
        raise click.UsageError("--relax-marking needs --marking, the one you ask for")
    if chosen.action_taken and not (text or chosen.action):
        raise click.UsageError("--action-taken needs --action WORD, or a sentence that says what was done")
