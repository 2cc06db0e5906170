"""Whom to call at an authority: a list each hub keeps for itself, and when each entry was last found to work.

It is no part of the wire or of the registry: telephone numbers change between two ceremonies, and those of duty desks
are nobody else's business. A file of TOML, named by the setting `contacts` of a context:

    [[contact]]
    authority = "xa-emb"
    role = "duty desk"
    reach = ["tel:+99-555-0100", "mailto:duty@emb.xa.example"]
    confirmed = 2027-05-01
"""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bus import toml
from bus.errors import ConfigError
from schemas.scalars import OrgId, Text160, Uri

MAX_BYTES = 1_048_576


class Contact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to reach an authority: a role, never a person's name."""

    authority: OrgId
    role: Text160
    reach: Annotated[tuple[Uri, ...], Meta(min_length=1, max_length=10)]
    confirmed: dt.date


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contact: tuple[Contact, ...] = ()


def read_contacts(path: Path) -> tuple[Contact, ...]:
    """The contacts in a file.

    Raises:
        ConfigError: `file-missing`, `file-unreadable`, or `config-malformed` with the entry and field.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"the contacts file {path} is not there; write it or remove the setting", reason="file-missing"
        ) from None
    except OSError as exc:
        raise ConfigError(
            f"cannot read the contacts file {path}: {exc.strerror}", reason="file-unreadable"
        ) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes", reason="config-malformed")
    try:
        return msgspec.convert(toml.loads(raw), _File).contact
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigError(f"{path}: {exc}", reason="config-malformed") from None
