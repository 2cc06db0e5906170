"""The tests' world with seal keys: three members of one network, two of whom read, and a hub without a key."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bus.admission.steps import Admitted, admit
from bus.keys.hpke import OpeningKey, SealKey, seal
from bus.keys.signatures import FileSigner, sign_entry
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.sealing.cover import cover
from bus.sealing.opening import context_of
from bus.sealing.sealer import Sealer
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.codec import digest, encode
from schemas.envelope import TYP_SEALED_BULLETIN, write_signed
from schemas.jwe import SealContext
from schemas.registry import Audience, PublishGrant, ReadGrant, Registry, SealKeyRecord
from schemas.vocab import Scope, SealPolicy, Status, Tlp
from tests.support.publishers import publishing
from tests.support.world import NOW, World, bulletin, make_world, sign, signed_registry, within

DAY = dt.timedelta(days=1)
NETWORK = "eu-sealed"
ISSUER, READERS, HUB = "xa-csirt", ("xb-csirt", "xb-dpa"), "xb-hub"
PARTS = {"eu-tech": "xb-csirt", "eu-data": "xb-dpa"}
"""Narrower audiences, for sections, and who reads each beside the hub."""


def opening_key(name: str) -> OpeningKey:
    """A private key, the same for a name in every run."""
    return OpeningKey(hashlib.sha256(name.encode()).digest())


def seal_record(key: SealKey, now: dt.datetime = NOW, **changes: Any) -> SealKeyRecord:
    """A registry record, valid a month before and a month after."""
    fields: dict[str, Any] = {
        "alg": "HPKE-9-KE",
        "jwk": key.jwk,
        "not_before": now - 30 * DAY,
        "not_after": now + 30 * DAY,
    }
    return SealKeyRecord(**{**fields, **changes})


def with_seal_keys(
    document: Registry,
    *,
    policy: SealPolicy = SealPolicy.NEVER,
    keys: tuple[str, ...] = (ISSUER, *READERS),
    now: dt.datetime = NOW,
) -> Registry:
    """The document with the network, its grants and seal keys."""
    said = PublishGrant(
        statuses=(Status.ACTUAL, Status.EXERCISE),
        tlps=(Tlp.AMBER_STRICT, Tlp.RED),
        audiences=(NETWORK,),
        kinds=("*",),
        areas=("*",),
    )
    public = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=(Tlp.CLEAR,), audiences=("public",), kinds=("*",), areas=("*",)
    )
    read = ReadGrant(
        statuses=(Status.ACTUAL, Status.EXERCISE), tlps=(Tlp.AMBER_STRICT, Tlp.RED), audiences=(NETWORK,)
    )
    members = (ISSUER, *READERS, HUB)
    authorities = dict(document.authorities)
    for name in members:
        record = authorities[name]
        key = opening_key(name).public
        authorities[name] = msgspec.structs.replace(
            record,
            publish=(*record.publish, said, public) if name == ISSUER else record.publish,
            read=record.read if name == ISSUER else (*record.read, read),
            seal_keys={key.kid: seal_record(key, now)} if name in keys else {},
        )
    audience = Audience(scope=Scope.UNION, members=members, seal=policy)
    return msgspec.structs.replace(
        document, authorities=authorities, audiences={**document.audiences, NETWORK: audience}
    )


def with_parts(document: Registry) -> Registry:
    """The document with a narrower audience for each of the network's readers."""
    authorities, audiences = dict(document.authorities), dict(document.audiences)
    marks = (Tlp.AMBER_STRICT, Tlp.RED)
    for name, reader in PARTS.items():
        members = (ISSUER, reader, HUB)
        audiences[name] = Audience(scope=Scope.UNION, members=members)
        read = ReadGrant(statuses=(Status.ACTUAL,), tlps=marks, audiences=(name,))
        said = PublishGrant(
            statuses=(Status.ACTUAL,), tlps=marks, audiences=(name,), kinds=("*",), areas=("*",)
        )
        for each in (reader, HUB):
            record = authorities[each]
            authorities[each] = msgspec.structs.replace(record, read=(*record.read, read))
        record = authorities[ISSUER]
        authorities[ISSUER] = msgspec.structs.replace(record, publish=(*record.publish, said))
    return msgspec.structs.replace(document, authorities=authorities, audiences=audiences)


def world_with(document: Registry, world: World) -> World:
    """The world under another registry document."""
    raw = signed_registry(document, world.roots[:2])
    registry = VerifiedRegistry.open(raw)
    now = world.now
    registry = registry.with_beacon(ceremony.new_beacon(registry, world.beacon, now, 6 * DAY / 24), now)
    return msgspec.structs.replace(world, registry=registry, raw=raw, pin=registry.digest)


@cache
def sealed_world() -> World:
    """One such world for all tests that do not change it."""
    world = make_world()
    return world_with(with_seal_keys(world.registry.document), world)


@cache
def sections_world() -> World:
    """One in which the network's readers also have narrower audiences."""
    world = make_world()
    return world_with(with_parts(with_seal_keys(world.registry.document)), world)


def inner_bulletin(world: World, **changes: Any) -> Bulletin:
    """A bulletin for the network, not yet sealed."""
    return bulletin(world, ISSUER, **{"tlp": Tlp.AMBER_STRICT, "audience": NETWORK, **changes})


def file_of(
    world: World, made: Bulletin, by: FileSigner | None = None, *, typ: str = TYP_SEALED_BULLETIN
) -> bytes:
    """The signed file form, by default as it stands inside a seal."""
    payload = encode(made)
    return write_signed(
        payload,
        (sign_entry(by or world.signers[made.issuer.id], payload, within(typ, world.registry.domain)),),
    )


def sealed_to(raw: bytes, context: SealContext, names: tuple[str, ...] = READERS, **changes: Any) -> Sealed:
    """The body of a sealed bulletin; `changes` replace its fields."""
    jwe = seal(raw, [opening_key(name).public for name in names], context, random.Random(1).randbytes)
    return msgspec.structs.replace(Sealed(jwe=jwe, recipients=names, inner_digest=digest(raw)), **changes)


def outer_of(world: World, inner: Bulletin, raw: bytes | None = None, **changes: Any) -> Bulletin:
    """The outer bulletin around an inner one, or around other bytes."""
    context = context_of(inner, world.registry.domain)
    return cover(inner, sealed_to(file_of(world, inner) if raw is None else raw, context, **changes))


def admitted(world: World, outer: Bulletin) -> Admitted:
    """The outer bulletin, signed, sent and let in."""
    message = sign(world, outer)
    return admit(message.subject, message.headers, message.payload, registry=world.registry, now=world.now)


@asynccontextmanager
async def speaking(
    folder: Path,
    world: World,
    *,
    everything: bool = True,
    without: tuple[str, ...] = (),
    seals: bool = True,
) -> AsyncIterator[tuple[Publisher, Outbox]]:
    """The issuer's publisher and its outbox, without a bus; with `seals` False it has no sealer."""
    sealer = Sealer((world.signers[ISSUER],), secrets.token_bytes, everything=everything, without=without)
    async with publishing(folder / "outbox.db", world, ISSUER, seal=sealer if seals else None) as publisher:
        yield publisher, publisher.outbox


async def said(world: World, outbox: Outbox) -> list[Admitted]:
    """What the outbox holds unsent, as a reader admits it."""
    rows = (await outbox.claim((), 1.0))["actual"]
    return [
        admit(row.subject, row.header_map(), row.payload, registry=world.registry, now=world.now)
        for row in rows
    ]
