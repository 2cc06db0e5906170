"""Shapes of the trust-registry document, its beacon and revocation statements; `bus.trust.registry` decides whether they are valid."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta

from schemas.scalars import (
    MAX_INTEGER,
    AudienceName,
    Celex,
    Country,
    Digest,
    OrgId,
    Part,
    Slug,
    Text160,
    Time,
)
from schemas.vocab import Domain, Scope, SealPolicy, Status, Tlp

SPEC: Literal["tocsin-registry/1"] = "tocsin-registry/1"
BEACON_SPEC: Literal["tocsin-beacon/1"] = "tocsin-beacon/1"
REVOKE_SPEC: Literal["tocsin-revoke/1"] = "tocsin-revoke/1"
MAX_REGISTRY_BYTES = 8 * 1024 * 1024
MAX_BEACON_BYTES = 65_536
MAX_REVOKE_BYTES = 8_192
MAX_REMEMBERED = 65_536
MAX_KEYS = 16_384
"""The most keys in a registry, in all roles, with seal keys and transport keys."""
STATEMENT_REACH_DAYS = 7
"""A revocation statement affects only bulletins dated at most this long before it."""
STATEMENT_AGE_DAYS = 7
"""A reader refuses a statement that is older than this on arrival; the registry must then revoke the key."""
BEACON_LIFE_HOURS = 48
BEACON_LEAD = 1_000
"""The most versions that a beacon may be ahead of the version held."""

REVOCATION_REASONS = ("key-compromise", "key-lost", "superseded", "cessation-of-operation")
"""Reasons for a revocation, after RFC 5280 section 5.3.1. Any slug is accepted, because a reason never decides."""

Algorithm = Literal["Ed25519", "ES256", "ML-DSA-65"]
SealAlgorithm = Literal["HPKE-9-KE"]
Kid = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)", description="RFC 7638 thumbprint")]
Jwk = dict[Annotated[str, Meta(max_length=16)], Annotated[str, Meta(max_length=4096)]]
DomainName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$(?!\n)", description="name of the federation")
]
NkeyUser = Annotated[str, Meta(pattern=r"^U[A-Z2-7]{55}$(?!\n)", description="public NATS user key")]
KindPattern = Annotated[str, Meta(pattern=r"^(?:\*|[a-z0-9][a-z0-9-]{0,63})$(?!\n)")]
Holidays = Annotated[tuple[dt.date, ...], Meta(min_length=1, max_length=100)]
AreaPattern = Annotated[str, Meta(pattern=r"^(?:\*|[A-Z]{2}|INT)$(?!\n)")]


class KeyRecord(Part, frozen=True, kw_only=True):
    """A public key, its one algorithm, and the window in which it may sign."""

    alg: Algorithm
    jwk: Jwk
    not_before: Time
    not_after: Time
    revoked_since: Time | None = None
    revoked_for: Annotated[Slug | None, Meta(description="reason, as in a revocation statement")] = None


class SealKeyRecord(Part, frozen=True, kw_only=True):
    """A public key to which bulletins may be sealed, and its window of at most 90 days."""

    alg: SealAlgorithm
    jwk: Jwk
    not_before: Time
    not_after: Time
    revoked_since: Time | None = None


class Role(Part, frozen=True, kw_only=True):
    """Keys, of which at least a threshold must sign."""

    threshold: Annotated[int, Meta(ge=1, le=32)]
    keys: Annotated[dict[Kid, KeyRecord], Meta(min_length=1, max_length=32)]


class PublishGrant(Part, frozen=True, kw_only=True):
    """A right to publish: exact sets; `*` only for kinds and areas."""

    statuses: Annotated[tuple[Status, ...], Meta(min_length=1, max_length=4)]
    tlps: Annotated[tuple[Tlp, ...], Meta(min_length=1, max_length=5)]
    audiences: Annotated[tuple[AudienceName, ...], Meta(min_length=1, max_length=256)]
    kinds: Annotated[tuple[KindPattern, ...], Meta(min_length=1, max_length=64)]
    areas: Annotated[tuple[AreaPattern, ...], Meta(min_length=1, max_length=256)]


class ReadGrant(Part, frozen=True, kw_only=True):
    """A right to read: exact sets."""

    statuses: Annotated[tuple[Status, ...], Meta(min_length=1, max_length=4)]
    tlps: Annotated[tuple[Tlp, ...], Meta(min_length=1, max_length=5)]
    audiences: Annotated[tuple[AudienceName, ...], Meta(min_length=1, max_length=256)]


class Audience(Part, frozen=True, kw_only=True):
    """A sharing group: its members, its scope, and when its bulletins are sealed."""

    scope: Scope
    members: Annotated[tuple[OrgId, ...], Meta(max_length=4096)] = ()
    seal: SealPolicy = SealPolicy.NEVER


class Clock(Part, frozen=True, kw_only=True):
    """A legal deadline as data: trigger, period and legal source."""

    trigger: Slug
    due_s: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    ref: Celex


class AuthorityRecord(Part, frozen=True, kw_only=True):
    """One authority or hub: its identity, keys and grants."""

    name: Text160
    kind: Slug
    domain: Domain
    country: Country
    keys: Annotated[dict[Kid, KeyRecord], Meta(max_length=32)] = {}  # noqa: RUF012 (msgspec copies it)
    nkeys: Annotated[tuple[NkeyUser, ...], Meta(max_length=32)] = ()
    require: Annotated[tuple[Algorithm, ...], Meta(min_length=1, max_length=3)] = ("Ed25519",)
    seal_keys: Annotated[dict[Kid, SealKeyRecord], Meta(max_length=32)] = {}  # noqa: RUF012 (msgspec copies it)
    heartbeat_s: Annotated[int, Meta(ge=10, le=86_400)] = 300
    contacts: Annotated[
        tuple[Text160, ...],
        Meta(max_length=8, description="contacts to ask when it does not answer, most important first"),
    ] = ()
    publish: Annotated[tuple[PublishGrant, ...], Meta(max_length=64)] = ()
    read: Annotated[tuple[ReadGrant, ...], Meta(max_length=64)] = ()


class Registry(Part, frozen=True, kw_only=True):
    """The whole document; versions follow one another without a gap, each with the digest of the one before."""

    spec: Literal["tocsin-registry/1"]
    domain: DomainName
    version: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    prev: Digest | None
    issued: Time
    expires: Time
    root: Role
    beacon: Role
    audiences: Annotated[dict[AudienceName, Audience], Meta(max_length=4096)]
    clocks: Annotated[dict[Slug, Clock], Meta(max_length=256)]
    authorities: Annotated[dict[OrgId, AuthorityRecord], Meta(max_length=8192)]
    holidays: Annotated[
        dict[Country, Holidays],
        Meta(
            max_length=256,
            description="public holidays, by state; EU for those of the institutions of the Union",
        ),
    ] = {}  # noqa: RUF012 (msgspec copies it)
    revoked: Annotated[
        dict[Kid, Time],
        Meta(
            max_length=MAX_REMEMBERED,
            description="every key ever revoked, in any role, with the time; entries are never removed",
        ),
    ] = {}  # noqa: RUF012 (msgspec copies it)


class Beacon(Part, frozen=True, kw_only=True):
    """States the current version, often and for a short time."""

    spec: Literal["tocsin-beacon/1"]
    domain: DomainName
    version: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    digest: Digest
    issued: Time
    expires: Time


class Revocation(Part, frozen=True, kw_only=True):
    """An authority revokes its own keys, by one signature of any key that it has left."""

    spec: Literal["tocsin-revoke/1"]
    domain: DomainName
    authority: OrgId
    kids: Annotated[tuple[Kid, ...], Meta(min_length=1, max_length=32)]
    since: Time
    reason: Annotated[Slug, Meta(description="the reason; it informs and never decides")]
    issued: Time
