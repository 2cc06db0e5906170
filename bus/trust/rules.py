"""Rules 5 and 6 of the registry, and which keys may not come back. No signature is checked here. Pure.

`bus.trust.registry` has the other rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from itertools import product

import msgspec

from bus.errors import KeyFileError, TrustError
from bus.keys import PublicKey, SealKey, nkeys
from schemas.envelope import b64u
from schemas.registry import KeyRecord, Registry
from schemas.vocab import TLP_RANK, Status, Tlp

MAX_WINDOW = dt.timedelta(days=90)
"""How long bulletins may be sealed to one key."""


class RegisteredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the registry: whose, in which window, ready to verify."""

    authority_id: str
    record: KeyRecord
    public: PublicKey


def registered_keys(document: Registry) -> Mapping[str, RegisteredKey]:
    """Every bulletin key by its id.

    Raises:
        TrustError: `unreachable-threshold`, `not-a-thumbprint`, `weak-key`, `unsupported-key`, `malformed-nkey`,
            `shared-key`, `transport-key` or `malformed-registry`.
    """
    transport: set[str] = set()
    for name, authority in document.authorities.items():
        for each in authority.nkeys:
            try:
                transport.add(b64u(nkeys.raw_public(each)))
            except KeyFileError:
                raise TrustError(f"{name} has a malformed transport key", reason="malformed-nkey") from None
    for name, role in (("root", document.root), ("beacon", document.beacon)):
        if role.threshold > sum(record.revoked_since is None for record in role.keys.values()):
            raise TrustError(f"the {name} role can never reach its threshold", reason="unreachable-threshold")
        for kid, record in role.keys.items():
            _public(kid, record, transport)
    taken = {*document.root.keys, *document.beacon.keys}
    keys: dict[str, RegisteredKey] = {}
    for name, authority in document.authorities.items():
        for kid, record in authority.keys.items():
            public = _public(kid, record, transport)
            if kid in keys or kid in taken:
                raise TrustError(f"key {kid} stands in two places", reason="shared-key")
            if record.not_after <= record.not_before:
                raise TrustError(f"key {kid} ends before it begins", reason="malformed-registry")
            keys[kid] = RegisteredKey(authority_id=name, record=record, public=public)
    return keys


def _public(kid: str, record: KeyRecord, transport: Collection[str]) -> PublicKey:
    public = PublicKey.from_jwk(record.jwk, record.alg)
    if public.kid != kid:
        raise TrustError(f"key {kid} is not its own thumbprint", reason="not-a-thumbprint")
    if public.jwk.get("x") in transport:
        raise TrustError(
            f"key {kid} is also a transport key; a broker could have it sign", reason="transport-key"
        )
    return public


def check_grants(document: Registry) -> None:
    """Refuse grants that nobody may have.

    Raises:
        TrustError: `audience`, `authority-id` or `not-a-member`.
    """
    for name in document.audiences.keys() & document.authorities.keys():
        raise TrustError(
            f"{name} is an authority; its own audience is its id and is not listed", reason="audience"
        )
    listed = {name: frozenset(audience.members) for name, audience in document.audiences.items()}
    for name, authority in document.authorities.items():
        if name.split("-", 1)[0] != authority.country.lower():
            raise TrustError(
                f"{name} does not begin with its country {authority.country}", reason="authority-id"
            )
        for publish in authority.publish:
            for audience in publish.audiences:
                _members(document, listed, audience, name)
        for read in authority.read:
            for tlp, audience in product(read.tlps, read.audiences):
                members = _members(document, listed, audience, name)
                if TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER] and name not in members:
                    raise TrustError(
                        f"{name} reads TLP:{tlp.upper()} to {audience} but is no member",
                        reason="not-a-member",
                    )
                if Status.SYSTEM in read.statuses and audience in document.authorities and audience != name:
                    raise TrustError(
                        f"{name} reads system to {audience}; what comes there is for {audience} alone",
                        reason="not-a-member",
                    )


def _members(
    document: Registry, listed: Mapping[str, frozenset[str]], audience: str, who: str
) -> Collection[str]:
    """Who belongs to an audience, one of those `listed` with their members; an organisation's own audience is its id."""
    if audience in listed:
        return listed[audience]
    if audience in document.authorities:
        return (audience,)
    raise TrustError(f"{who} has a grant for an audience that does not exist: {audience}", reason="audience")


def refuse_returning_keys(held: Registry, document: Registry) -> None:
    """Part of rule 4: a revoked key may be dropped, never be trusted again."""
    ended = {kid for kid, record in _keys_in(held) if record.revoked_since is not None}
    for kid, record in _keys_in(document):
        if kid in ended and record.revoked_since is None:
            raise TrustError(
                f"key {kid} is revoked and cannot come back; its authority needs a new key",
                reason="key-revoked",
            )


def _keys_in(document: Registry) -> Iterator[tuple[str, KeyRecord]]:
    for authority in document.authorities.values():
        yield from authority.keys.items()


def check_seal_keys(document: Registry) -> None:
    """Rule 5 for seal keys.

    Raises:
        TrustError: `unsupported-key`, `weak-key`, `not-a-thumbprint`, `shared-key`, `malformed-registry`, or
            `seal-window` for more than 90 days.
    """
    taken: set[str] = set()
    for name, authority in document.authorities.items():
        for kid, record in authority.seal_keys.items():
            if SealKey.from_jwk(record.jwk).kid != kid:
                raise TrustError(f"seal key {kid} is not its own thumbprint", reason="not-a-thumbprint")
            if kid in taken:
                raise TrustError(f"seal key {kid} stands in two places", reason="shared-key")
            if record.not_after <= record.not_before:
                raise TrustError(f"seal key {kid} ends before it begins", reason="malformed-registry")
            if record.not_after - record.not_before > MAX_WINDOW:
                raise TrustError(
                    f"seal key {kid} of {name} is valid for more than {MAX_WINDOW.days} days",
                    reason="seal-window",
                )
            taken.add(kid)


def check_seal_succession(held: Registry, document: Registry) -> None:
    """Rule 4 for seal keys: a revoked one stays revoked, and no window begins anew with the same key.

    Raises:
        TrustError: `key-revoked` or `seal-window`.
    """
    before = {kid: record for each in held.authorities.values() for kid, record in each.seal_keys.items()}
    for authority in document.authorities.values():
        for kid in authority.seal_keys.keys() & before.keys():
            was, found = before[kid], authority.seal_keys[kid]
            if was.revoked_since is not None and found.revoked_since is None:
                raise TrustError(f"seal key {kid} is revoked and cannot come back", reason="key-revoked")
            if found.not_before > was.not_before:
                raise TrustError(
                    f"seal key {kid} had its window", remedy="make a new key", reason="seal-window"
                )
