"""Rules 5 and 6 of the registry, and the keys that may not return. No signature is checked here. Pure.

`bus.trust.registry` has the other rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from itertools import product

import msgspec

from bus.errors import KeyFileError, TrustError
from bus.keys import PublicKey, SealKey, nkeys, thumbprint
from schemas.envelope import b64u
from schemas.registry import MAX_KEYS, Audience, AuthorityRecord, KeyRecord, Registry, SealKeyRecord
from schemas.vocab import TLP_RANK, Scope, Status, Tlp

MAX_WINDOW = dt.timedelta(days=90)
"""The longest window of a seal key."""


class RegisteredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the registry with its authority and its window, ready to verify."""

    authority_id: str
    record: KeyRecord
    public: PublicKey


def registered_keys(document: Registry, *, sound: bool = False) -> Mapping[str, RegisteredKey]:
    """Every bulletin key by its id.

    Args:
        document: the registry.
        sound: whether the orders of its keys' points were checked before (`bus.trust.store`); all else is checked.

    Raises:
        TrustError: `too-many-keys`, `unreachable-threshold`, `not-a-thumbprint`, `weak-key`, `unsupported-key`, `malformed-nkey`,
            `shared-key`, `transport-key`, `unreachable-require`, `key-revoked` or `malformed-registry`.
    """
    _refuse_too_many(document)
    transport: set[str] = set()
    for name, authority in document.authorities.items():
        for each in authority.nkeys:
            try:
                raw = b64u(nkeys.raw_public(each, sound=sound))
            except KeyFileError:
                raise TrustError(f"{name} has a malformed transport key", reason="malformed-nkey") from None
            if raw in transport:
                raise TrustError(f"transport key {each} of {name} stands in two places", reason="shared-key")
            transport.add(raw)
    for name, role in (("root", document.root), ("beacon", document.beacon)):
        if role.threshold > sum(record.revoked_since is None for record in role.keys.values()):
            raise TrustError(f"the {name} role can never reach its threshold", reason="unreachable-threshold")
        for kid, record in role.keys.items():
            _public(kid, record, transport, sound=sound)
    if shared := document.root.keys.keys() & document.beacon.keys.keys():
        raise TrustError(f"key {min(shared)} stands in two roles", reason="shared-key")
    taken = {*document.root.keys, *document.beacon.keys}
    keys: dict[str, RegisteredKey] = {}
    for name, authority in document.authorities.items():
        for kid, record in authority.keys.items():
            public = _public(kid, record, transport, sound=sound)
            if kid in keys or kid in taken:
                raise TrustError(f"key {kid} stands in two places", reason="shared-key")
            if record.not_after <= record.not_before:
                raise TrustError(f"key {kid} ends before it begins", reason="malformed-registry")
            keys[kid] = RegisteredKey(authority_id=name, record=record, public=public)
        has = {
            record.alg for record in authority.keys.values()
        }  # revoked keys count too: this rule never blocks a revocation
        if has and not has.issuperset(authority.require):
            missing = ", ".join(sorted(set(authority.require) - has))
            raise TrustError(
                f"{name} must sign with {missing} but has no such key", reason="unreachable-require"
            )
    _refuse_remembered(document)
    return keys


def ever_revoked(document: Registry) -> Mapping[str, dt.datetime]:
    """Every key id that a document lists as revoked, in any role, with the time since which it is."""
    found = dict(document.revoked)
    for kid, record in _records(document):
        if record.revoked_since is not None:
            found[kid] = record.revoked_since
    return found


def dropped_seal_keys(before: AuthorityRecord, after: AuthorityRecord) -> Mapping[str, dt.datetime]:
    """The seal keys that an authority's record no longer lists, with the ends of their windows."""
    return {
        kid: record.revoked_since or record.not_after
        for kid, record in before.seal_keys.items()
        if kid not in after.seal_keys
    }


def _records(document: Registry) -> Iterator[tuple[str, KeyRecord | SealKeyRecord]]:
    """Every key of a document, in any role."""
    yield from document.root.keys.items()
    yield from document.beacon.keys.items()
    for authority in document.authorities.values():
        yield from authority.keys.items()
        yield from authority.seal_keys.items()


def _refuse_remembered(document: Registry) -> None:
    """Refuse a document that lists a key of `revoked` in any role."""
    for kid, record in _records(document):
        if kid in document.revoked and record.revoked_since is None:
            raise TrustError(
                f"key {kid} is revoked and cannot come back",
                remedy="make a new key",
                reason="key-revoked",
            )


def _refuse_too_many(document: Registry) -> None:
    """Refuse too many keys, transport keys included: each costs every reader a millisecond once."""
    found = len(tuple(_records(document))) + sum(len(each.nkeys) for each in document.authorities.values())
    if found > MAX_KEYS:
        raise TrustError(
            f"the registry has {found} keys; at most {MAX_KEYS} are allowed",
            remedy="leave out keys that are out of use",
            reason="too-many-keys",
        )


def _public(kid: str, record: KeyRecord, transport: Collection[str], *, sound: bool) -> PublicKey:
    public = PublicKey.from_jwk(record.jwk, record.alg, sound=sound)
    if public.kid != kid:
        raise TrustError(f"key {kid} is not its own thumbprint", reason="not-a-thumbprint")
    if public.jwk.get("x") in transport:
        raise TrustError(
            f"key {kid} is also a transport key; a broker could have it sign", reason="transport-key"
        )
    return public


def check_grants(document: Registry) -> None:
    """Refuse grants that no authority may have.

    Raises:
        TrustError: `audience`, `authority-id`, `malformed-registry`, `not-a-member` or `other-country`.
    """
    for name in document.audiences.keys() & document.authorities.keys():
        raise TrustError(
            f"{name} is an authority; its own audience is its id and is not listed", reason="audience"
        )
    listed = {name: frozenset(audience.members) for name, audience in document.audiences.items()}
    nations = _nations(document)
    for name, authority in document.authorities.items():
        if name.split("-", 1)[0] != authority.country.lower():
            raise TrustError(
                f"{name} does not begin with its country {authority.country}", reason="authority-id"
            )
        granted = [
            *(grant.statuses for grant in authority.publish),
            *(grant.statuses for grant in authority.read),
        ]
        if any(Status.BEAT in statuses for statuses in granted):
            raise TrustError(
                f"{name} has a grant for status beat; grant heartbeats on status system instead",
                reason="malformed-registry",
            )
        for publish in authority.publish:
            for audience in publish.audiences:
                _members(document, listed, audience, name)
                _must_be_of(nations, audience, name)
        for read in authority.read:
            for tlp, audience in product(read.tlps, read.audiences):
                members = _members(document, listed, audience, name)
                _must_be_of(nations, audience, name)
                if TLP_RANK[tlp] >= TLP_RANK[Tlp.AMBER] and name not in members:
                    raise TrustError(
                        f"{name} reads TLP:{tlp.upper()} to {audience} but is no member",
                        remedy="tocsin registry join makes it one; leave --with-grants takes the grant back",
                        reason="not-a-member",
                    )
                if Status.SYSTEM in read.statuses and audience in document.authorities and audience != name:
                    raise TrustError(
                        f"{name} reads status system to {audience}; only {audience} may read that",
                        reason="not-a-member",
                    )


def nation_of(audience: Audience | None) -> str | None:
    """The country of an audience of national scope, as ids begin with it; None for another scope, or without a member."""
    if audience is None or audience.scope is not Scope.NATIONAL:
        return None
    return next((_country_in(member) for member in audience.members), None)


def _country_in(authority_id: str) -> str:
    return authority_id.partition("-")[0]


def _nations(document: Registry) -> Mapping[str, str]:
    """The country of each audience of national scope with members; refuse a member of another country."""
    found: dict[str, str] = {}
    for name, audience in document.audiences.items():
        if (nation := nation_of(audience)) is None:
            continue
        found[name] = nation
        for member in audience.members:
            if _country_in(member) != nation:
                raise TrustError(
                    f"{name} is a national audience of {nation.upper()}; {member} is of another country",
                    remedy="leave it out, or make the scope union",
                    reason="other-country",
                )
    return found


def _must_be_of(nations: Mapping[str, str], audience: str, who: str) -> None:
    """Refuse a grant for the national audience of another country."""
    nation = nations.get(audience)
    if nation is not None and _country_in(who) != nation:
        raise TrustError(
            f"{who} has a grant for {audience}, a national audience of {nation.upper()}",
            remedy="take it back, or make the scope union",
            reason="other-country",
        )


def _members(
    document: Registry, listed: Mapping[str, frozenset[str]], audience: str, who: str
) -> Collection[str]:
    """The members of an audience, one of those `listed`; an organisation's own audience is its id."""
    if audience in listed:
        return listed[audience]
    if audience in document.authorities:
        return (audience,)
    raise TrustError(f"{who} has a grant for an audience that does not exist: {audience}", reason="audience")


def refuse_returning_keys(held: Registry, document: Registry) -> None:
    """Part of rule 4: each later version lists as revoked every key that was ever revoked in any role.

    Raises:
        TrustError: `key-revoked`.
    """
    for kid in sorted(ever_revoked(held).keys() - ever_revoked(document).keys()):
        raise TrustError(
            f"key {kid} is revoked; the next version must not trust it and must keep it in `revoked`",
            remedy="make a new key",
            reason="key-revoked",
        )


def check_seal_keys(document: Registry, *, sound: bool = False) -> None:
    """Rule 5 for seal keys; `sound` if the keys themselves were checked before.

    Raises:
        TrustError: `unsupported-key`, `weak-key`, `not-a-thumbprint`, `shared-key`, `malformed-registry`, or
            `seal-window` for more than 90 days.
    """
    taken: set[str] = set()
    for name, authority in document.authorities.items():
        for kid, record in authority.seal_keys.items():
            if (thumbprint(record.jwk) if sound else SealKey.from_jwk(record.jwk).kid) != kid:
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
    """Rule 4 for seal keys: no key gets a second window, neither at once nor after versions without the key.

    So the next version has each seal key of the held version, listed or in `revoked`.

    Raises:
        TrustError: `seal-window`.
    """
    before = {kid: record for each in held.authorities.values() for kid, record in each.seal_keys.items()}
    for authority in document.authorities.values():
        for kid in authority.seal_keys.keys() & before.keys():
            was, found = before[kid], authority.seal_keys[kid]
            if found.not_before > was.not_before:
                raise TrustError(
                    f"seal key {kid} had its window before", remedy="make a new key", reason="seal-window"
                )
    listed = {kid for authority in document.authorities.values() for kid in authority.seal_keys}
    for kid in sorted(before.keys() - listed - document.revoked.keys()):
        raise TrustError(
            f"seal key {kid} is no longer listed and is not in `revoked`; its window could start again",
            remedy="keep it listed, or name it in `revoked`",
            reason="seal-window",
        )
