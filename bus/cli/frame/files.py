"""Files and passphrases that a command reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus.cli.frame.app import App

if TYPE_CHECKING:
    from bus.keys import Signer


MAX_FILE_BYTES = 16 * 1024 * 1024  # a registry at its largest, in base64url


def read_passphrase(app: App, file: Path | None, *, confirm: bool = False) -> bytes:
    """The passphrase from a file of mode 0600, or asked of a person."""
    from bus.keys import read_secret

    if file is not None:
        return read_secret(file)
    if not app.may_ask():
        raise click.UsageError("a passphrase is needed: add --passphrase-file FILE")
    asked: str = click.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return asked.encode()


def read_file(path: Path) -> bytes:
    """The bytes of a signed file.

    Raises:
        InputFileError: `file-missing`, `file-unreadable`.
        AdmissionError: `too-large`: it has more than `MAX_FILE_BYTES`.
    """
    from bus.cli.frame.errors import InputFileError
    from bus.errors import AdmissionError

    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise InputFileError(f"there is no file {path}", reason="file-missing") from None
    except OSError as exc:
        raise InputFileError(f"cannot read {path}: {exc.strerror}", reason="file-unreadable") from None
    if len(raw) > MAX_FILE_BYTES:
        raise AdmissionError(f"{path} is larger than {MAX_FILE_BYTES} bytes", reason="too-large")
    return raw


def signer_of(app: App, key_file: Path, passphrase_file: Path | None) -> Signer:
    """The signer in a key file, its passphrase from a file or asked for."""
    from bus.keys import open_key

    return open_key(key_file, read_passphrase(app, passphrase_file))


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not be there yet."""
    if path.exists():
        raise click.UsageError(f"{path} is there already; choose a new name")
    write_whole(path, data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a whole file or nothing."""
    from bus.storage import write_atomically

    write_atomically(path, data, mode=0o644)


def report_file(app: App, file: Path, text: str) -> None:
    """What was done, for a person or as JSON."""
    if app.json:
        app.data({"file": str(file), "text": text})
    else:
        app.note(text)


def private_folder(path: Path) -> Path:
    """The folder, made for its owner alone when it was not there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
