"""Reading drafts from JSON or TOML files, as a person or a program wrote them."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import msgspec

from bus.errors import BusError
from schemas.bulletin import Draft
from schemas.codec import MAX_PAYLOAD_BYTES, decode_draft
from schemas.errors import SchemaError

STANDARD_INPUT = "-"


class DraftFileError(BusError):
    """A draft file that cannot be read; exit code 3 when it is not there, else 5."""

    exit_code = 5


def read_draft(name: str) -> Draft:
    """The draft in the file `name`; `-` is standard input.

    Raises:
        DraftFileError: `file-missing`, `file-unreadable` or `too-large`.
        SchemaError: the content is no draft, with the path of what is wrong.
    """
    raw = _bytes(name)
    try:
        return decode_draft(raw.strip() if raw.lstrip()[:1] == b"{" else _from_toml(raw))
    except SchemaError as exc:
        raise SchemaError(f"{name}: {exc}", reason=exc.reason, path=exc.path) from None


def _bytes(name: str) -> bytes:
    try:
        if name == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(MAX_PAYLOAD_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(MAX_PAYLOAD_BYTES + 1)
    except FileNotFoundError:
        error = DraftFileError(f"there is no file {name}", reason="file-missing")
        error.exit_code = 3
        raise error from None
    except OSError as exc:
        raise DraftFileError(f"cannot read {name}: {exc.strerror}", reason="file-unreadable") from None
    if len(raw) > MAX_PAYLOAD_BYTES:
        raise DraftFileError(f"{name} is larger than {MAX_PAYLOAD_BYTES} bytes", reason="too-large")
    return raw


def _from_toml(raw: bytes) -> bytes:
    try:
        return msgspec.json.encode(tomllib.loads(raw.decode("utf-8")), enc_hook=str)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SchemaError(
            f"neither a JSON object nor valid TOML: {exc}", reason="malformed-payload"
        ) from None
