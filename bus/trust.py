"""The trust registry, verified: who may say this, to them, here; and who may read it. No I/O.

The rules, in the order they are checked (The Update Framework's, on one document):

1. A first version is believed by its pin, the digest obtained out of band, and signed by its own root's threshold.
2. A next version is not parsed before the current root's threshold of signatures over it holds.
3. It is of the same domain, exactly one version later, and names the digest of the one held.
4. It is signed by its own root's threshold too, over distinct keys, and is not from the future.
5. Every key's id is its thumbprint; no key serves two authorities, or an authority and a root; none is of small
   order; no bulletin key equals a transport key; every threshold can be reached; a seal key's window is at most 90
   days.
6. A read grant at AMBER or above is for a member of the audience. An audience is listed, or is an authority's id and
   then means that organisation alone; no listed audience has an authority's id.
7. A beacon is signed by the beacon role's threshold, of the same domain, in its window, not older than the last one;
   the same version under another digest is a fork.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from itertools import product

import msgspec

from bus import nkey
from bus.errors import KeyFileError, PermitError, TrustError
from bus.seal_keys import check_seal_keys
from bus.signing import PublicKey
from schemas.bulletin import Bulletin
from schemas.codec import decode_as, digest
from schemas.envelope import TYP_BEACON, TYP_REGISTRY, SignedFile, b64u, read_signed, signing_input
from schemas.errors import EnvelopeError, SchemaError
from schemas.parts import Authority
from schemas.registry import (
    MAX_BEACON_BYTES,
    MAX_REGISTRY_BYTES,
    AuthorityRecord,
    Beacon,
    KeyRecord,
    PublishGrant,
    ReadGrant,
    Registry,
    Role,
)
from schemas.subject import Channel, channel_of
from schemas.vocab import TLP_RANK, Status, Tlp

CLOCK_SKEW = dt.timedelta(minutes=5)
ANY = "*"


class TrustState(StrEnum):
    """How current the registry is known to be."""

    FRESH = "fresh"
    BEHIND = "behind"
    STALE = "stale"
    EXPIRED = "expired"


class RegisteredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the registry: whose, in which window, ready to verify."""

    authority_id: str
    record: KeyRecord
    public: PublicKey


class VerifiedRegistry:
    """A registry whose signatures and rules have been checked. Immutable: an update is another one."""

    def __init__(self, *, document: Registry, digest: str, raw: bytes, beacon: Beacon | None) -> None:
        """Use `open`, `update` and `with_beacon`; this checks rules 5 and 6 but no signature."""
        self.document = document
        self.digest = digest
        self.raw = raw
        self.beacon = beacon
        self.domain = document.domain
        self.version = document.version
        self._keys = _registered_keys(document)
        check_seal_keys(document)
        _check_grants(document)
        self._reads = {
            name: frozenset(_product(record.read))
            for name, record in document.authorities.items()
            if record.read
        }
        self._publishes = {
            name: frozenset(_product(record.publish))
            for name, record in document.authorities.items()
            if record.publish
        }

    @classmethod
    def open(cls, raw: bytes, *, pin: str | None = None, domain: str | None = None) -> VerifiedRegistry:
        """Believe a first version.

        Args:
            raw: the file.
            pin: digest its payload must have; None believes the file as it is, for somebody who has just made it.
            domain: the domain it must be of.

        Raises:
            TrustError: `malformed-registry`, `pin`, `domain`, `threshold`, or what rule 5 or 6 says.
        """
        signed = _read(raw, TYP_REGISTRY, MAX_REGISTRY_BYTES)
        found = digest(signed.payload)
        if pin is not None and found != pin:
            raise TrustError(f"the registry's digest is {found}, but {pin} was pinned", reason="pin")
        document = _document(signed.payload)
        if domain is not None and document.domain != domain:
            raise TrustError(f"the registry is of {document.domain}, not of {domain}", reason="domain")
        _require(document.root, signed, "its own root")
        return cls(document=document, digest=found, raw=raw, beacon=None)

    def update(self, raw: bytes, now: dt.datetime) -> VerifiedRegistry:
        """The next version, or this one when `raw` is it.

        Raises:
            TrustError: `threshold`, `domain`, `rollback`, `skip`, `fork`, `from-the-future`, or a rule's reason.
        """
        signed = _read(raw, TYP_REGISTRY, MAX_REGISTRY_BYTES)
        if digest(signed.payload) == self.digest:
            return self
        _require(self.document.root, signed, "the current root")
        document = _document(signed.payload)
        if document.domain != self.domain:
            raise TrustError(f"the registry is of {document.domain}, not of {self.domain}", reason="domain")
        if document.version <= self.version:
            raise TrustError(f"version {document.version} is not after {self.version}", reason="rollback")
        if document.version != self.version + 1:
            raise TrustError(
                f"version {document.version} skips after {self.version}; fetch each in turn", reason="skip"
            )
        if document.prev != self.digest:
            raise TrustError("the registry does not continue the one held", reason="fork")
        _require(document.root, signed, "the new root")
        if document.issued > now + CLOCK_SKEW:
            raise TrustError("the registry is from the future; check the clock", reason="from-the-future")
        return VerifiedRegistry(document=document, digest=digest(signed.payload), raw=raw, beacon=self.beacon)

    def with_beacon(self, raw: bytes, now: dt.datetime) -> VerifiedRegistry:
        """This registry, having seen a beacon.

        Raises:
            TrustError: `threshold`, `domain`, `from-the-future`, `expired`, `rollback` or `fork`.
        """
        signed = _read(raw, TYP_BEACON, MAX_BEACON_BYTES)
        _require(self.document.beacon, signed, "the beacon role")
        try:
            beacon = decode_as(Beacon, signed.payload, max_bytes=MAX_BEACON_BYTES)
        except SchemaError as exc:
            raise TrustError(f"the beacon is malformed: {exc}", reason="malformed-beacon") from None
        if beacon.domain != self.domain:
            raise TrustError(f"the beacon is of {beacon.domain}", reason="domain")
        if beacon.issued > now + CLOCK_SKEW:
            raise TrustError("the beacon is from the future; check the clock", reason="from-the-future")
        if beacon.expires <= now:
            raise TrustError("the beacon has run out; fetch a new one", reason="expired")
        if self.beacon and (beacon.version < self.beacon.version or beacon.issued < self.beacon.issued):
            raise TrustError("the beacon is older than the last one seen", reason="rollback")
        if beacon.version == self.version and beacon.digest != self.digest:
            raise TrustError(
                "the beacon names another registry of this same version: a split view", reason="fork"
            )
        made = object.__new__(VerifiedRegistry)
        made.__dict__.update(self.__dict__, beacon=beacon)
        return made

    # -- questions --------------------------------------------------------------------------------------------

    def state(self, now: dt.datetime) -> TrustState:
        """How current this registry is known to be. An expired one still verifies; it labels, it never deafens."""
        if self.document.expires <= now:
            return TrustState.EXPIRED
        if self.beacon is None or self.beacon.expires <= now:
            return TrustState.STALE
        return TrustState.BEHIND if self.beacon.version > self.version else TrustState.FRESH

    def authority(self, authority_id: str) -> AuthorityRecord:
        """The record of an authority.

        Raises:
            TrustError: `unknown-authority`.
        """
        found = self.document.authorities.get(authority_id)
        if found is None:
            raise TrustError(
                f"{authority_id} is not in registry {self.domain} version {self.version}",
                reason="unknown-authority",
            )
        return found

    def issuer(self, authority_id: str) -> Authority:
        """The speaker, as its bulletins must describe it."""
        record = self.authority(authority_id)
        return Authority(
            id=authority_id, kind=record.kind, domain=record.domain, country=record.country, name=record.name
        )

    def key(self, kid: str) -> RegisteredKey | None:
        """The bulletin key with this id, if there is one."""
        return self._keys.get(kid)

    def may_publish(self, authority_id: str, channel: Channel) -> bool:
        """Whether some grant lets the authority speak on the channel, whatever the kind and area."""
        way = (channel.status, channel.tlp, channel.audience)
        return channel.issuer == authority_id and way in self._publishes.get(authority_id, ())

    def may_read(self, authority_id: str, channel: Channel) -> bool:
        """Whether the authority may read the channel; everybody reads their own."""
        way = (channel.status, channel.tlp, channel.audience)
        return channel.issuer == authority_id or way in self._reads.get(authority_id, ())

    def read_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) the authority may read, sorted."""
        return tuple(sorted(self._reads.get(authority_id, ())))

    def publish_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) the authority may speak on, sorted."""
        return tuple(sorted(self._publishes.get(authority_id, ())))

    def readers(self, channel: Channel) -> tuple[str, ...]:
        """Who may read a channel by grant, sorted."""
        way = (channel.status, channel.tlp, channel.audience)
        return tuple(sorted(name for name, ways in self._reads.items() if way in ways))

    def permit(self, bulletin: Bulletin) -> None:
        """Refuse what the issuer has no grant for.

        Raises:
            PermitError: `not-permitted`, saying what is missing.
            TrustError: `unknown-authority`.
        """
        record = self.authority(bulletin.issuer.id)
        channel = channel_of(bulletin)
        ways = [g for g in record.publish if _covers(g, channel)]
        if not ways:
            raise PermitError(
                f"{bulletin.issuer.id} has no grant to publish {channel.name} ({bulletin.status}, "
                f"TLP:{bulletin.tlp.upper()}, to {bulletin.audience}); ask your registrar",
                reason="not-permitted",
            )
        kinds = [g for g in ways if ANY in g.kinds or bulletin.kind in g.kinds]
        if not kinds:
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for kind {bulletin.kind} on {channel.name}",
                reason="not-permitted",
            )
        countries = {area.country for area in bulletin.areas if area.country}
        if not any(ANY in g.areas or countries <= set(g.areas) for g in kinds):
            raise PermitError(
                f"{bulletin.issuer.id} has no grant for {', '.join(sorted(countries))} on {channel.name}",
                reason="not-permitted",
            )


def _covers(grant: PublishGrant, channel: Channel) -> bool:
    return (
        channel.status in grant.statuses and channel.tlp in grant.tlps and channel.audience in grant.audiences
    )


def _product(grants: Iterable[PublishGrant | ReadGrant]) -> Iterable[tuple[Status, Tlp, str]]:
    for grant in grants:
        yield from product(grant.statuses, grant.tlps, grant.audiences)


# -- signatures ---------------------------------------------------------------------------------------------------


def _read(raw: bytes, typ: str, max_bytes: int) -> SignedFile:
    try:
        return read_signed(raw, typ=typ, max_bytes=max_bytes)
    except EnvelopeError as exc:
        raise TrustError(
            f"not a signed {typ.rsplit('.', 1)[-1]}: {exc}", reason=f"malformed-{typ.rsplit('.', 1)[-1]}"
        ) from None


def _document(payload: bytes) -> Registry:
    try:
        return decode_as(Registry, payload, max_bytes=MAX_REGISTRY_BYTES)
    except SchemaError as exc:
        raise TrustError(f"the registry is malformed: {exc}", reason="malformed-registry") from None


def good_signatures(role: Role, signed: SignedFile) -> frozenset[str]:
    """The ids of the role's keys whose signatures over the payload stand; a key counts once."""
    good: set[str] = set()
    for entry in signed.entries:
        record = role.keys.get(entry.header.kid)
        if record is None or record.alg != entry.header.alg:
            continue
        try:
            key = PublicKey.from_jwk(record.jwk, record.alg)
            key.verify(entry.signature, signing_input(entry.protected, signed.payload))
        except TrustError:
            continue
        if key.kid == entry.header.kid:
            good.add(key.kid)
    return frozenset(good)


def _require(role: Role, signed: SignedFile, whose: str) -> None:
    count = len(good_signatures(role, signed))
    if count < role.threshold:
        raise TrustError(
            f"{count} good signatures of {whose}; {role.threshold} are needed", reason="threshold"
        )


# -- rules 5 and 6 ------------------------------------------------------------------------------------------------


def _registered_keys(document: Registry) -> Mapping[str, RegisteredKey]:
    for name, role in (("root", document.root), ("beacon", document.beacon)):
        if role.threshold > len(role.keys):
            raise TrustError(f"the {name} role can never reach its threshold", reason="unreachable-threshold")
        for kid, record in role.keys.items():
            _public(kid, record)
    taken = {*document.root.keys, *document.beacon.keys}
    transport: set[str] = set()
    for name, authority in document.authorities.items():
        for each in authority.nkeys:
            try:
                transport.add(b64u(nkey.raw_public(each)))
            except KeyFileError:
                raise TrustError(f"{name} has a malformed transport key", reason="malformed-nkey") from None
    keys: dict[str, RegisteredKey] = {}
    for name, authority in document.authorities.items():
        for kid, record in authority.keys.items():
            public = _public(kid, record)
            if kid in keys or kid in taken:
                raise TrustError(f"key {kid} stands in two places", reason="shared-key")
            if public.jwk.get("x") in transport:
                raise TrustError(f"bulletin key {kid} is also a transport key", reason="transport-key")
            if record.not_after <= record.not_before:
                raise TrustError(f"key {kid} ends before it begins", reason="malformed-registry")
            keys[kid] = RegisteredKey(authority_id=name, record=record, public=public)
    return keys


def _public(kid: str, record: KeyRecord) -> PublicKey:
    public = PublicKey.from_jwk(record.jwk, record.alg)
    if public.kid != kid:
        raise TrustError(f"key {kid} is not its own thumbprint", reason="not-a-thumbprint")
    return public


def _check_grants(document: Registry) -> None:
    for name in document.audiences.keys() & document.authorities.keys():
        raise TrustError(
            f"{name} is an authority; its own audience is its id and is not listed", reason="audience"
        )
    for name, authority in document.authorities.items():
        if name.split("-", 1)[0] != authority.country.lower():
            raise TrustError(
                f"{name} does not begin with its country {authority.country}", reason="authority-id"
            )
        for publish in authority.publish:
            for audience in publish.audiences:
                _members(document, audience, name)
        for read in authority.read:
            for tlp, audience in product(read.tlps, read.audiences):
                members = _members(document, audience, name)
                if TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER] and name not in members:
                    raise TrustError(
                        f"{name} reads TLP:{tlp.upper()} to {audience} but is no member",
                        reason="not-a-member",
                    )


def _members(document: Registry, audience: str, who: str) -> Collection[str]:
    """Who belongs to an audience; an organisation's own audience is its id."""
    if audience in document.audiences:
        return document.audiences[audience].members
    if audience in document.authorities:
        return (audience,)
    raise TrustError(f"{who} has a grant for an audience that does not exist: {audience}", reason="audience")
