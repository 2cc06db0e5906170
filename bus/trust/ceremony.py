"""The registry ceremony: pure steps over documents and files. A change is a proposal until enough roots sign it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bus.errors import TrustError
from bus.keys.signatures import Signer, sign_entry, thumbprint
from bus.transport.streams import HEARTBEAT
from bus.trust import receipt_grants
from bus.trust.grants import HUB, granted, spoken_by
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import receipt_tlp
from schemas.codec import decode_as, encode
from schemas.envelope import TYP_BEACON, TYP_REGISTRY, read_signed, write_signed
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import (
    BEACON_SPEC,
    MAX_REGISTRY_BYTES,
    SPEC,
    Audience,
    AuthorityRecord,
    Beacon,
    Clock,
    KeyRecord,
    PublishGrant,
    ReadGrant,
    Registry,
    Role,
    SealKeyRecord,
)
from schemas.vocab import Scope, SealPolicy, Status, Tlp

REANCHOR = "reanchor"
_HOUR = 3600
_DAY = 24 * _HOUR

DEFAULT_CLOCKS: Mapping[str, Clock] = {
    "nis2-early-warning": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32022L2555#23.4.a"),
    "nis2-notification": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32022L2555#23.4.b"),
    "nis2-final": Clock(trigger="notification-sent", due_s=30 * _DAY, ref="celex:32022L2555#23.4.d"),
    "gdpr-33": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32016R0679#33.1"),
    "ttpa-assist": Clock(trigger="request", due_s=30 * _DAY, ref="celex:32024R0900#23"),
    "ttpa-info": Clock(trigger="request", due_s=14 * _DAY, ref="celex:32024R0900#23"),
}
"""Legal deadlines as they stand today; a registry changes them without a change of code."""


def new_registry(
    *,
    domain: str,
    root_keys: Sequence[KeyRecord],
    root_threshold: int,
    beacon_keys: Sequence[KeyRecord],
    beacon_threshold: int,
    audiences: Mapping[str, Audience],
    now: dt.datetime,
    lifetime: dt.timedelta,
    clocks: Mapping[str, Clock] = DEFAULT_CLOCKS,
) -> Registry:
    """The first version of a registry, with no authority yet."""
    issued = now.replace(microsecond=0)
    return Registry(
        spec=SPEC,
        domain=domain,
        version=1,
        prev=None,
        issued=issued,
        expires=issued + lifetime,
        root=Role(threshold=root_threshold, keys=_by_kid(root_keys)),
        beacon=Role(threshold=beacon_threshold, keys=_by_kid(beacon_keys)),
        audiences=dict(audiences),
        clocks=dict(clocks),
        authorities={},
    )


def _by_kid(records: Iterable[KeyRecord]) -> dict[str, KeyRecord]:
    return {thumbprint(record.jwk): record for record in records}


def add_authority(
    document: Registry, authority_id: str, record: AuthorityRecord, *, member_of: Sequence[str] = ()
) -> Registry:
    """The document with an authority added or replaced, and made a member of audiences."""
    audiences = dict(document.audiences)
    for name in member_of:
        found = audiences.get(name, Audience(scope=Scope.UNION))
        if authority_id not in found.members:
            audiences[name] = msgspec.structs.replace(found, members=(*found.members, authority_id))
    return msgspec.structs.replace(
        document, authorities={**document.authorities, authority_id: record}, audiences=audiences
    )


def grant(
    document: Registry,
    authority_id: str,
    *,
    publish: Sequence[PublishGrant] = (),
    read: Sequence[ReadGrant] = (),
) -> Registry:
    """The document with further grants for an authority.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = document.authorities.get(authority_id)
    if record is None:
        raise TrustError(f"{authority_id} is not in the registry; add it first", reason="unknown-authority")
    changed = msgspec.structs.replace(
        record,
        publish=(*record.publish, *(g for g in publish if g not in record.publish)),
        read=(*record.read, *(g for g in read if g not in record.read)),
    )
    return msgspec.structs.replace(document, authorities={**document.authorities, authority_id: changed})


def beat(tlp: Tlp, audience: str) -> PublishGrant:
    """The grant to send heartbeats where others may read them, and to go on with their channel after a theft."""
    return PublishGrant(
        statuses=(Status.SYSTEM,),
        tlps=(tlp,),
        audiences=(audience,),
        kinds=(HEARTBEAT, REANCHOR),
        areas=("*",),
    )


def grant_receipts(document: Registry, hub: str) -> Registry:
    """The document in which a hub may do what a hub does, with every other that it shares something with.

    It answers the authors of what it may read and asks them for what it lacks; it asks other hubs that may read the same,
    and hands them copies; and it says, in heartbeats, what it holds. What it had of the first of such grants is replaced,
    so that it can be said again when authorities come or go.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = document.authorities.get(hub)
    if record is None:
        raise TrustError(f"{hub} is not in the registry; add it first", reason="unknown-authority")
    reads = granted(record.read)
    shared: dict[Tlp, set[str]] = {}
    for name, other in document.authorities.items():
        theirs = spoken_by(other) | (granted(other.read) if other.kind == HUB else frozenset())
        for status, tlp, _ in reads & theirs:
            if name != hub and status is not Status.SYSTEM:
                shared.setdefault(receipt_tlp(tlp), set()).add(name)
    before = tuple(grant for grant in record.publish if not set(grant.kinds) <= set(receipt_grants.HELPFUL))
    helps = tuple(
        grant for tlp in sorted(shared) for grant in receipt_grants.grants(sorted(shared[tlp]), (tlp,))
    )
    beats = [beat(tlp, audience) for status, tlp, audience in sorted(reads) if status is Status.SYSTEM]
    changed = msgspec.structs.replace(
        record, publish=(*before, *helps, *(each for each in beats if each not in before))
    )
    return msgspec.structs.replace(document, authorities={**document.authorities, hub: changed})


def add_seal_key(document: Registry, authority_id: str, record: SealKeyRecord) -> Registry:
    """The document with a further seal key of an authority, beside those it has.

    Raises:
        TrustError: `unknown-authority`, or `seal-window` for a key that it has already.
    """
    held = _seal_keys(document, authority_id)
    kid = thumbprint(record.jwk)
    if kid in held:
        raise TrustError(
            f"seal key {kid} stands in the registry already, and its window does not begin anew; make a new key",
            reason="seal-window",
        )
    return _with_seal_keys(document, authority_id, {**held, kid: record})


def revoke_seal_key(document: Registry, authority_id: str, kid: str, since: dt.datetime) -> Registry:
    """The document in which nobody seals to a key any more.

    Raises:
        TrustError: `unknown-authority`, or `unknown-key` for a key that the authority does not have.
    """
    held = _seal_keys(document, authority_id)
    if kid not in held:
        raise TrustError(f"{authority_id} has no seal key {kid}", reason="unknown-key")
    ended = msgspec.structs.replace(held[kid], revoked_since=held[kid].revoked_since or since)
    return _with_seal_keys(document, authority_id, {**held, kid: ended})


def _seal_keys(document: Registry, authority_id: str) -> dict[str, SealKeyRecord]:
    found = document.authorities.get(authority_id)
    if found is None:
        raise TrustError(f"{authority_id} is not in the registry; add it first", reason="unknown-authority")
    return found.seal_keys


def _with_seal_keys(document: Registry, authority_id: str, keys: dict[str, SealKeyRecord]) -> Registry:
    changed = msgspec.structs.replace(document.authorities[authority_id], seal_keys=keys)
    return msgspec.structs.replace(document, authorities={**document.authorities, authority_id: changed})


def set_seal_policy(document: Registry, audience: str, policy: SealPolicy) -> Registry:
    """The document with another policy for when bulletins to an audience are sealed.

    Raises:
        TrustError: `audience`, when there is none of this name.
    """
    found = document.audiences.get(audience)
    if found is None:
        raise TrustError(f"there is no audience {audience} in the registry", reason="audience")
    changed = msgspec.structs.replace(found, seal=policy)
    return msgspec.structs.replace(document, audiences={**document.audiences, audience: changed})


def next_version(document: Registry, digest: str, now: dt.datetime, lifetime: dt.timedelta) -> Registry:
    """The document one version later, continuing the one with `digest`."""
    issued = now.replace(microsecond=0)
    return msgspec.structs.replace(
        document, version=document.version + 1, prev=digest, issued=issued, expires=issued + lifetime
    )


def unsigned(document: Registry) -> bytes:
    """The file of a proposal that nobody has signed yet."""
    payload = encode(document)
    decode_as(Registry, payload, max_bytes=MAX_REGISTRY_BYTES)
    return write_signed(payload, ())


def document_of(raw: bytes) -> Registry:
    """The document in a registry file, whoever signed it; for editing and showing, never for trusting.

    Raises:
        TrustError: `malformed-registry`.
    """
    try:
        file = read_signed(raw, typ=TYP_REGISTRY, max_bytes=MAX_REGISTRY_BYTES, unsigned=True)
        return decode_as(Registry, file.payload, max_bytes=MAX_REGISTRY_BYTES)
    except (EnvelopeError, SchemaError) as exc:
        raise TrustError(f"not a registry: {exc}", reason="malformed-registry") from None


def signatures(raw: bytes) -> tuple[str, ...]:
    """The key ids that have signed a registry file, unchecked."""
    try:
        file = read_signed(raw, typ=TYP_REGISTRY, max_bytes=MAX_REGISTRY_BYTES, unsigned=True)
    except EnvelopeError as exc:
        raise TrustError(f"not a registry: {exc}", reason="malformed-registry") from None
    return tuple(entry.header.kid for entry in file.entries)


def sign_registry(raw: bytes, signer: Signer) -> bytes:
    """The file with one more signature; a second one by the same key replaces the first.

    Raises:
        TrustError: `malformed-registry`.
    """
    document_of(raw)
    file = read_signed(raw, typ=TYP_REGISTRY, max_bytes=MAX_REGISTRY_BYTES, unsigned=True)
    others = tuple(entry for entry in file.entries if entry.header.kid != signer.kid)
    return write_signed(file.payload, (*others, sign_entry(signer, file.payload, typ=TYP_REGISTRY)))


def new_beacon(registry: VerifiedRegistry, signer: Signer, now: dt.datetime, lifetime: dt.timedelta) -> bytes:
    """A signed beacon that says `registry` is the current one."""
    beacon = Beacon(
        spec=BEACON_SPEC,
        domain=registry.domain,
        version=registry.version,
        digest=registry.digest,
        issued=now,
        expires=now + lifetime,
    )
    payload = encode(beacon)
    return write_signed(payload, (sign_entry(signer, payload, typ=TYP_BEACON),))
