"""Files and passphrases that a command reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from bus import keys, storage
from bus.cli.frame.answers import Answer
from bus.cli.frame.app import App
from bus.cli.frame.errors import InputFileError
from bus.errors import AdmissionError, BusError

MAX_FILE_BYTES = 16 * 1024 * 1024  # the largest registry, in base64url


def read_passphrase(app: App, file: Path | None, *, confirm: bool = False) -> bytes:
    """The passphrase from a file of mode 0600, or from a person."""
    if file is not None:
        return keys.read_secret(file)
    from bus.cli.frame.running import asking

    if not app.may_ask():
        raise click.UsageError("a passphrase is needed: add --passphrase-file FILE")
    with asking():
        asked: str = click.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return asked.encode()


def read_file(path: Path) -> bytes:
    """The bytes of a signed file.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`.
        AdmissionError: `too-large`, more than `MAX_FILE_BYTES`.
    """
    return read_bounded(path, MAX_FILE_BYTES, AdmissionError)


def read_bounded(
    name: str | Path,
    most: int,
    too_large: type[BusError] = InputFileError,
    *,
    opened: AbstractContextManager[BinaryIO] | None = None,
) -> bytes:
    """The bytes of a file, at most `most`. `opened` is the file if it is open already, such as standard input.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`.
        BusError: `too-large`, of the class `too_large`.
    """
    with input_errors(name), opened or Path(name).open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise too_large(f"{name} is larger than {most} bytes", reason="too-large")
    return raw


@contextmanager
def input_errors(name: str | Path) -> Iterator[None]:
    """Turn an error of the operating system about the file `name` into an error of the command line.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputFileError(f"there is no file {name}", reason="file-missing") from None
    except OSError as exc:
        raise InputFileError(f"cannot read {name}: {exc.strerror}", reason="file-unreadable") from None


def must_be_new(path: Path) -> None:
    """Refuse to overwrite a file."""
    if path.exists():
        raise click.UsageError(f"{path} exists already; choose a new name")


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet."""
    must_be_new(path)
    write_whole(path, data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    storage.write_atomically(path, data, mode=0o644)


def written(file: Path, text: str) -> Answer:
    """The answer after writing a file, for a person or as JSON."""
    return Answer({"file": str(file), "text": text}, notes=[text])
