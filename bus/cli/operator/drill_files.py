"""Reads the script of a drill: TOML, with drafts in it or in files beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from bus import toml
from bus.cli import frame
from bus.cli.frame import InputFileError, read_bounded
from bus.drills import Inject, Script, of_exercise
from bus.errors import PermitError

MAX_SCRIPT_BYTES = 1_048_576


def read_script(path: Path) -> Script:
    """The script in a file.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`, `too-large` or `malformed-script`.
    """
    raw = read_bounded(path, MAX_SCRIPT_BYTES)
    try:
        return msgspec.convert(toml.loads(raw), Script)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise InputFileError(
            f"{path} is not the script of a drill: {exc}", reason="malformed-script"
        ) from None


def read_inject(script: Script, n: int, folder: Path) -> Inject:
    """One step of the script, with its draft.

    Raises:
        PermitError: `not-an-exercise`.
        InputFileError, SchemaError: its draft cannot be read.
    """
    step, where = script.step[n], f"step {n + 1}"
    if (step.draft is None) == (step.say is None):
        raise InputFileError(
            f"{where}: give either `draft` (the name of a file) or `say` (the draft itself)",
            reason="malformed-script",
        )
    draft = (
        frame.read_draft(str(folder / step.draft))
        if step.draft is not None
        else frame.draft_in(step.say or {}, where)
    )
    try:
        exercise = of_exercise(draft, script.exercise)
    except PermitError as exc:
        raise PermitError(f"{where}: {exc}", reason=exc.reason) from None
    return Inject(at=step.at, speaker=step.speaker, draft=exercise, expect=step.expect)
