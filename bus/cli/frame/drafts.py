"""Reads drafts from JSON or TOML files, written by a person or a program."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from bus import drafts
from bus.cli.frame.errors import InputFileError
from bus.cli.frame.files import read_bounded
from bus.cli.frame.text import on_terminal
from schemas.codec import MAX_PAYLOAD_BYTES, decode_draft
from schemas.errors import SchemaError
from schemas.vocab import Tlp

if TYPE_CHECKING:
    from bus.drafts import Finding, Look
    from schemas.bulletin import Draft

STANDARD_INPUT = "-"
_WIDE = 100


class DraftFile:
    """The draft in a file, read on first use.

    Attributes:
        name: of the file; `-` is standard input.
        raw: its bytes, after the read.
        changed: the change that the command makes, such as a reference to the updated bulletin.
    """

    def __init__(self, name: str, changed: Callable[[Draft], Draft] | None = None) -> None:
        self.name = name
        self.changed = changed
        self.raw: bytes | None = None

    def __call__(self) -> Draft:
        """The draft.

        Raises:
            InputFileError: `file-missing`, `file-unreadable`, `empty` or `too-large`.
            DraftError: the content is not a draft; lists every fault of its shape.
        """
        self.raw = bytes_of(self.name)
        try:
            draft = decode_draft(self.raw.strip())
        except SchemaError:  # the slow path: TOML, a time with an offset, or a fault
            found = drafts.read(self.raw, dt.datetime.now(dt.UTC))
            if found.draft is None:
                raise refusal(self.name, found, found.of("error")) from None
            draft = found.draft
        return draft if self.changed is None else self.changed(draft)


def read_draft(name: str) -> Draft:
    """The draft in the file `name`; `-` is standard input.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`, `empty` or `too-large`.
        DraftError: the content is not a draft; lists every fault of its shape.
    """
    return DraftFile(name)()


def draft_in(table: Mapping[str, Any], where: str) -> Draft:
    """The draft in a table of a TOML file.

    Raises:
        DraftError: the table is not a draft; lists every fault of its shape.
    """
    found = drafts.read_table(table, dt.datetime.now(dt.UTC))
    if found.draft is None:
        raise refusal(where, found, found.of("error"))
    return found.draft


def refusal(
    name: str, found: Look, wrong: tuple[Finding, ...], note: str = "", *, reason: str | None = None
) -> drafts.DraftError:
    """The error for a refused draft, with each faulty line."""
    lines = [line for each in wrong for line in drafts.told(each, found.source, name, _columns())]
    return drafts.DraftError(name, wrong, lines, note=note, reason=reason)


def told(name: str, found: Look, findings: tuple[Finding, ...]) -> list[str]:
    """The findings about a draft, in lines that fit the terminal."""
    return [line for each in findings for line in drafts.told(each, found.source, name, _columns())]


def with_marking(draft: Draft, audience: str | None, tlp: str | None) -> Draft:
    """The draft with the audience and marking given on the command line."""
    return msgspec.structs.replace(
        draft,
        audience=draft.audience if audience is None else audience,
        tlp=draft.tlp if tlp is None else Tlp(tlp),
    )


def bytes_of(name: str) -> bytes:
    """The bytes of a draft's file.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`, `empty` or `too-large`.
    """
    stdin = nullcontext(sys.stdin.buffer) if name == STANDARD_INPUT else None
    raw = read_bounded(name, MAX_PAYLOAD_BYTES, opened=stdin)
    if not raw.strip():
        raise InputFileError(
            f"{name} is empty", remedy="begin with: tocsin bulletin new KIND", reason="empty"
        )
    return raw


def _columns() -> int:
    return shutil.get_terminal_size().columns if on_terminal() else _WIDE
