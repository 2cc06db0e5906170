"""A small world for tests: registry, keys, and bulletins that stand, without a file or a broker."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from bus.keys import nkeys
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Context, format_header, hints
from schemas.parts import Info
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant, ReadGrant, Registry
from schemas.subject import subject_for
from schemas.vocab import Pap, Scope, Status, Tlp
from tests.support import countries
from tests.support.countries import HUBS, MEMBERS, Member, audiences, hub_answers, hub_reads

DOMAIN = "test"
BEACON_LIFETIME = dt.timedelta(hours=6)
NOW = dt.datetime(2027, 5, 23, 18, 0, 0, tzinfo=dt.UTC)
DEFAULTS = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")


def within(typ: str = TYP_BULLETIN, domain: str = DOMAIN) -> Context:
    """The context of a signature; by default that of a bulletin in the tests' federation."""
    return Context(typ, domain)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a test needs to speak and to judge."""

    now: dt.datetime
    registry: VerifiedRegistry
    raw: bytes
    pin: str
    roots: tuple[FileSigner, ...]
    beacon: FileSigner
    signers: dict[str, FileSigner]
    nkeys: dict[str, tuple[str, str]]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A signed bulletin as a broker would carry it."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    payload: bytes
    bulletin: Bulletin
    digest: str


def key_record(signer: FileSigner, now: dt.datetime = NOW, **changes: Any) -> KeyRecord:
    """A registry record for a signer's key, valid a month before and a year after."""
    fields: dict[str, Any] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": now - dt.timedelta(days=30),
        "not_after": now + dt.timedelta(days=365),
    }
    return KeyRecord(**{**fields, **changes})


def record_of(member: Member, signer: FileSigner, public: str, now: dt.datetime = NOW) -> AuthorityRecord:
    """A registry record for a member of the demonstration's countries."""
    record = countries.record_of(
        member, {signer.kid: key_record(signer, now)}, public, hub_answers(member.id)
    )
    return record if member.office else msgspec.structs.replace(record, name=f"{member.country} Hub")


def found(
    domain: str,
    records: Mapping[str, AuthorityRecord],
    audiences: Mapping[str, Audience],
    *,
    signers: Mapping[str, FileSigner],
    transport: Mapping[str, tuple[str, str]],
    now: dt.datetime,
) -> World:
    """A registry of these authorities, signed by two of three roots, with a fresh beacon.

    Args:
        domain: whose registry.
        records: the authorities by id, with their keys.
        audiences: the audiences by name.
        signers: the signing keys that `records` name, by authority.
        transport: seed and public half of the transport keys that `records` name, by authority.
        now: the present.
    """
    roots = tuple(FileSigner.generate() for _ in range(3))
    beacon = FileSigner.generate()
    document = ceremony.new_registry(
        domain=domain,
        root_keys=[key_record(root, now) for root in roots],
        root_threshold=2,
        beacon_keys=[key_record(beacon, now)],
        beacon_threshold=1,
        audiences=dict(audiences),
        now=now - dt.timedelta(hours=1),
        lifetime=dt.timedelta(days=90),
    )
    for identity, record in records.items():
        document = proposals.add_authority(document, identity, record)
    raw = signed_registry(document, roots[:2])
    registry = VerifiedRegistry.open(raw)
    return World(
        now=now,
        registry=registry.with_beacon(ceremony.new_beacon(registry, beacon, now, BEACON_LIFETIME), now),
        raw=raw,
        pin=registry.digest,
        roots=roots,
        beacon=beacon,
        signers=dict(signers),
        nkeys=dict(transport),
    )


def make_world(now: dt.datetime = NOW, *readers: str) -> World:
    """The demonstration's two countries; offices among `readers` read what is CLEAR and GREEN."""
    members = (*MEMBERS, *HUBS)
    signers = {member.id: FileSigner.generate() for member in members}
    transport = {member.id: nkeys.generate() for member in members}
    records = {
        member.id: record_of(member, signers[member.id], transport[member.id][1], now) for member in members
    }
    records |= {
        name: msgspec.structs.replace(records[name], read=hub_reads("xb-hub")[:2]) for name in readers
    }
    return found(DOMAIN, records, audiences(), signers=signers, transport=transport, now=now)


def deaf_world(now: dt.datetime = NOW, *markings: Tlp) -> World:
    """The same, where xa-csirt speaks at these markings to a network that xa-hub and xb-csirt read, and is no member of it."""
    world = make_world(now)
    records = dict(world.registry.document.authorities)
    network = "eu-advisers"
    says = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=markings, audiences=(network,), kinds=("*",), areas=("*",)
    )
    hears = ReadGrant(statuses=(Status.ACTUAL,), tlps=markings, audiences=(network,))
    members = ("xa-hub", "xb-csirt")
    for name in members:
        records[name] = msgspec.structs.replace(records[name], read=(*records[name].read, hears))
    mine = records["xa-csirt"]
    records["xa-csirt"] = msgspec.structs.replace(mine, publish=(*mine.publish, says))
    named = {**audiences(), network: Audience(scope=Scope.UNION, members=members)}
    return found(DOMAIN, records, named, signers=world.signers, transport=world.nkeys, now=now)


@cache
def shared_world() -> World:
    """One world for all tests that do not change it."""
    return make_world()


def signed_registry(document: Registry, signers: tuple[FileSigner, ...]) -> bytes:
    """A registry file signed by `signers`."""
    raw = ceremony.unsigned(document)
    for signer in signers:
        raw = ceremony.sign_registry(raw, signer)
    return raw


def draft(text: str = "Flood against results.example", **changes: Any) -> Draft:
    """A small cyber-threat draft that breaks no rule."""
    fields: dict[str, Any] = {
        "info": (Info(lang="en", headline=text, summary="Sources in 192.0.2.0/24."),),
        "body": CyberThreat(title=text),
    }
    return Draft(**{**fields, **changes})


_NUMBERS = itertools.count(1)


def bulletin(
    world: World,
    issuer: str = "xa-csirt",
    *,
    seq: int = 1,
    prev: str | None = None,
    issued: dt.datetime | None = None,
    say: Draft | None = None,
    **changes: Any,
) -> Bulletin:
    """A stamped bulletin; `changes` replace fields afterwards."""
    moment = issued or world.now
    made = stamp(
        say or draft(),
        id=new_id(moment, random.Random(next(_NUMBERS)).randbytes(10)),
        seq=seq,
        prev=prev,
        issuer=world.registry.issuer(issuer),
        issued=moment,
        defaults=DEFAULTS,
    )
    return msgspec.structs.replace(made, **changes)


def sign(
    world: World, made: Bulletin | bytes, by: str | FileSigner | None = None, subject: str = ""
) -> Message:
    """A message as its issuer would send it; raw bytes need `by` and `subject`."""
    if isinstance(made, bytes):
        from schemas.codec import decode

        payload = made
        try:
            read = decode(made)
        except Exception:  # noqa: BLE001 (a test signs rubbish on purpose)
            read = bulletin(world)
    else:
        payload, read = encode(made), made
    signer = by if isinstance(by, FileSigner) else world.signers[by or read.issuer.id]
    entry = sign_entry(signer, payload, within(domain=world.registry.domain))
    found = digest(payload)
    headers = {SIG_HEADER: format_header((entry,)), **hints(found)}
    return Message(
        subject=subject or subject_for(read),
        headers=tuple(headers.items()),
        payload=payload,
        bulletin=read,
        digest=found,
    )


def chain(world: World, count: int, issuer: str = "xa-csirt", **changes: Any) -> list[Message]:
    """`count` signed bulletins of one channel, in order."""
    return goes_on(world, [], [draft(f"number {seq}") for seq in range(1, count + 1)], issuer, **changes)


def goes_on(
    world: World, before: Sequence[Message], drafts: Iterable[Draft], issuer: str = "xa-csirt", **changes: Any
) -> list[Message]:
    """A channel's bulletins and those that follow them, one for each draft."""
    messages = list(before)
    for say in drafts:
        prev = messages[-1].digest if messages else None
        made = bulletin(world, issuer, seq=len(messages) + 1, prev=prev, say=say, **changes)
        messages.append(sign(world, made))
    return messages
