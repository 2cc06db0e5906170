"""Finds words for shell completion in the settings, registry, store and outbox of the chosen context; verifies nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from bus import publishing, storage, subscribing
from bus.cli.frame.app import App
from bus.cli.frame.completing import Own
from bus.config import OUTBOX_FILE, STORE_FILE
from schemas.bodies import KINDS
from schemas.envelope import unb64u
from schemas.registry import MAX_REGISTRY_BYTES
from schemas.vocab import Domain

NEWEST = 50
"""At most this many bulletins are offered, from store and outbox together."""


class _File(msgspec.Struct):
    payload: str


class _Audience(msgspec.Struct):
    scope: str
    members: list[str] = []


class _Authority(msgspec.Struct):
    name: str


class _Registry(msgspec.Struct):
    audiences: dict[str, _Audience] = {}
    authorities: dict[str, _Authority] = {}


class _Info(msgspec.Struct):
    headline: str


class _Body(msgspec.Struct):
    kind: str


class _Bulletin(msgspec.Struct):
    body: _Body
    info: list[_Info] = []


def contexts(app: App, _given: Mapping[str, object]) -> list[Own]:
    """The contexts of all settings files, each with its identity."""
    return [
        Own(name, f"{context.authority} in {context.domain}")
        for name, context in sorted(app.loaded.settings.contexts.items())
    ]


def kinds(_app: App, _given: Mapping[str, object]) -> list[Own]:
    """The kinds of bulletins."""
    return [Own(kind) for kind in sorted(KINDS)]


def domains(_app: App, _given: Mapping[str, object]) -> list[Own]:
    """The domains of bulletins."""
    return [Own(str(domain), "domain") for domain in Domain]


def topics(app: App, given: Mapping[str, object]) -> list[Own]:
    """The topics for a subscription: domains, then kinds."""
    return [*domains(app, given), *kinds(app, given)]


def audiences(app: App, given: Mapping[str, object]) -> list[Own]:
    """The audiences of the registry file that the command line names, or else of the context's registry."""
    return [
        Own(name, f"{each.scope}, {len(each.members)} members" if each.members else each.scope)
        for name, each in sorted(_registry(app, given).audiences.items())
    ]


def authorities(app: App, given: Mapping[str, object]) -> list[Own]:
    """The authorities and hubs of that registry, by name."""
    return [Own(name, each.name) for name, each in sorted(_registry(app, given).authorities.items())]


def bulletins(app: App, _given: Mapping[str, object]) -> list[Own]:
    """The newest bulletins of store and outbox, each with its headline."""
    folder = app.state_folder()
    found: dict[str, tuple[float, bytes]] = {}
    for file, newest in (
        (STORE_FILE, subscribing.recent.admitted),
        (OUTBOX_FILE, publishing.recent.accepted),
    ):
        # A damaged file, or one of another release, is skipped; the other may still answer.
        with suppress(sqlite3.Error, OSError):
            if (folder / file).exists():
                with storage.only_read(folder / file) as db:
                    found |= {each.id: (each.at, each.payload) for each in newest(db, NEWEST)}
    ordered = sorted(found.items(), key=lambda each: -each[1][0])
    return [Own(name, _headline(payload)) for name, (_, payload) in ordered[:NEWEST]]


def _headline(payload: bytes) -> str:
    """The headline of a bulletin; the kind of a sealed one; empty for a damaged one."""
    try:
        said = msgspec.json.decode(payload, type=_Bulletin)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return said.info[0].headline if said.info and said.body.kind != "sealed" else said.body.kind


def _registry(app: App, given: Mapping[str, object]) -> _Registry:
    named = given.get("file")
    path = named if isinstance(named, Path) else app.identity.registry
    with path.open("rb") as file:
        raw = file.read(2 * MAX_REGISTRY_BYTES)
    return msgspec.json.decode(unb64u(msgspec.json.decode(raw, type=_File).payload), type=_Registry)
