"""The registry ceremony: pure steps over documents and files. A change is a proposal until enough roots sign it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from bus.errors import TrustError
from bus.keys import Signer, sign_entry, thumbprint
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import stated
from bus.trust.rules import ever_revoked
from schemas.codec import decode_as, encode
from schemas.envelope import (
    TYP_BEACON,
    TYP_REGISTRY,
    Context,
    SignedFile,
    check_context,
    read_claims,
    write_signed,
)
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import (
    BEACON_SPEC,
    MAX_REGISTRY_BYTES,
    SPEC,
    Audience,
    Beacon,
    Clock,
    KeyRecord,
    Registry,
    Revocation,
    Role,
    SealKeyRecord,
)

_HOUR = 3600
_DAY = 24 * _HOUR

DEFAULT_CLOCKS: Mapping[str, Clock] = {
    "nis2-early-warning": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32022L2555#23.4.a"),
    "nis2-notification": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32022L2555#23.4.b"),
    "nis2-notification-trust": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32022L2555#23.4"),
    "nis2-final": Clock(trigger="notification-sent", due_s=30 * _DAY, ref="celex:32022L2555#23.4.d"),
    "gdpr-33": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32016R0679#33.1"),
    "eudpr-34": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32018R1725#34.1"),
    "led-30": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32016L0680#30.1"),
    "eui-early-warning": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32023R2841#21"),
    "eui-notification": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32023R2841#21"),
    "eui-final": Clock(trigger="notification-sent", due_s=30 * _DAY, ref="celex:32023R2841#21"),
    "cer-notification": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32022L2557#15.1"),
    "cra-early-warning": Clock(trigger="aware", due_s=24 * _HOUR, ref="celex:32024R2847#14.2.a"),
    "cra-notification": Clock(trigger="aware", due_s=72 * _HOUR, ref="celex:32024R2847#14.2.b"),
    "ttpa-assist": Clock(trigger="request", due_s=30 * _DAY, ref="celex:32024R0900#23"),
    "ttpa-info": Clock(trigger="request", due_s=14 * _DAY, ref="celex:32024R0900#23"),
}
"""Legal deadlines in force today; a registry changes them without a change of code."""


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
        root=Role(threshold=root_threshold, keys={thumbprint(key.jwk): key for key in root_keys}),
        beacon=Role(threshold=beacon_threshold, keys={thumbprint(key.jwk): key for key in beacon_keys}),
        audiences=dict(audiences),
        clocks=dict(clocks),
        authorities={},
    )


def next_version(document: Registry, digest: str, now: dt.datetime, lifetime: dt.timedelta) -> Registry:
    """The next version of a document. It continues the one with `digest` and remembers every revoked key."""
    issued = max(now.replace(microsecond=0), document.issued)
    return msgspec.structs.replace(
        document,
        version=document.version + 1,
        prev=digest,
        issued=issued,
        expires=issued + lifetime,
        revoked=dict(sorted(ever_revoked(document).items())),
    )


def remembering(document: Registry, statements: Iterable[Revocation]) -> Registry:
    """A document that also revokes the keys revoked by statements, so that a reader who begins with it knows them.

    A listed key gets `revoked_since`, the moment to which the statement reaches; a key that is no longer listed goes
    into `revoked`. Revocations that the document has already stay.

    Args:
        document: a proposal.
        statements: those in force for the version before it (`VerifiedRegistry.revocations`).
    """
    ended = {kid: since for kid, since in stated(statements).items() if kid not in ever_revoked(document)}
    authorities = {
        name: msgspec.structs.replace(
            record,
            keys=_ended(record.keys, ended),
            seal_keys=_ended(record.seal_keys, ended),
        )
        for name, record in document.authorities.items()
    }
    listed = {kid for each in authorities.values() for kid in (*each.keys, *each.seal_keys)}
    revoked = {**document.revoked, **{kid: since for kid, since in ended.items() if kid not in listed}}
    return msgspec.structs.replace(document, authorities=authorities, revoked=dict(sorted(revoked.items())))


K = TypeVar("K", KeyRecord, SealKeyRecord)


def _ended(keys: Mapping[str, K], ended: Mapping[str, dt.datetime]) -> dict[str, K]:
    return {
        kid: msgspec.structs.replace(key, revoked_since=ended[kid]) if kid in ended else key
        for kid, key in keys.items()
    }


def unsigned(document: Registry) -> bytes:
    """The file of a proposal without signatures."""
    payload = encode(document)
    decode_as(Registry, payload, max_bytes=MAX_REGISTRY_BYTES)
    return write_signed(payload, ())


def document_of(raw: bytes) -> Registry:
    """The document in a registry file, for editing and display only: no signature is checked.

    Raises:
        TrustError: `malformed-registry`.
    """
    return _claimed(raw)[0]


def _claimed(raw: bytes) -> tuple[Registry, SignedFile]:
    """(document, file with only the signatures made for a registry of the document's domain)."""
    try:
        file = read_claims(raw, max_bytes=MAX_REGISTRY_BYTES, unsigned=True)
        document = decode_as(Registry, file.payload, max_bytes=MAX_REGISTRY_BYTES)
        check_context(file.entries, Context(TYP_REGISTRY, document.domain))
    except (EnvelopeError, SchemaError) as exc:
        raise TrustError(f"not a registry: {exc}", reason="malformed-registry") from None
    return document, file


def signatures(raw: bytes) -> tuple[str, ...]:
    """The key ids that have signed a registry file, unchecked."""
    return tuple(entry.header.kid for entry in _claimed(raw)[1].entries)


def sign_registry(raw: bytes, signer: Signer) -> bytes:
    """The file with one more signature, in the domain of its document; a second one by the same key replaces the first.

    Raises:
        TrustError: `malformed-registry`.
    """
    document, file = _claimed(raw)
    others = tuple(entry for entry in file.entries if entry.header.kid != signer.kid)
    mine = sign_entry(signer, file.payload, Context(TYP_REGISTRY, document.domain))
    return write_signed(file.payload, (*others, mine))


def new_beacon(registry: VerifiedRegistry, signer: Signer, now: dt.datetime, lifetime: dt.timedelta) -> bytes:
    """A signed beacon that names `registry` as the current one."""
    beacon = Beacon(
        spec=BEACON_SPEC,
        domain=registry.domain,
        version=registry.version,
        digest=registry.digest,
        issued=now,
        expires=now + lifetime,
    )
    payload = encode(beacon)
    return write_signed(payload, (sign_entry(signer, payload, Context(TYP_BEACON, registry.domain)),))
