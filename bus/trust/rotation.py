"""Rotation and revocation of keys in the registry. Pure steps over documents.

No step is in force until enough roots have signed the version with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import msgspec

from bus.errors import TrustError
from bus.keys import thumbprint
from bus.trust.rules import check_grants, check_seal_keys, registered_keys
from schemas.registry import AuthorityRecord, KeyRecord, Registry, Role


def check_rules(document: Registry) -> None:
    """Refuse a proposal that can never be valid, before anybody signs it.

    Raises:
        TrustError: the reason of the registry's rule 5 or 6 that it breaks.
    """
    registered_keys(document)
    check_seal_keys(document)
    check_grants(document)


def usable_keys(record: AuthorityRecord, now: dt.datetime) -> dict[str, KeyRecord]:
    """The keys with which an authority can sign now or later: neither revoked nor expired."""
    return {kid: key for kid, key in record.keys.items() if key.revoked_since is None and now < key.not_after}


def rotate_key(
    document: Registry,
    authority_id: str,
    new: KeyRecord,
    *,
    replaces: Collection[str] = (),
    overlap: dt.timedelta,
    now: dt.datetime,
) -> tuple[Registry, tuple[str, ...]]:
    """The document with a new key for an authority; the replaced keys may sign until the overlap ends.

    Args:
        document: the proposal so far.
        authority_id: whose key.
        new: the new key's record.
        replaces: ids of the keys that end; empty for the one usable key of the same algorithm.
        overlap: how long both may sign, from now or from the start of the new key's window.
        now: the present.

    Returns:
        (document, ids of the replaced keys).

    Raises:
        TrustError: `unknown-authority`; `unknown-key` or `wrong-algorithm` for a key that cannot be replaced by this
            one; `ambiguous-key` if several keys could be meant; `shared-key` if the new one is already registered; or
            the reason of a rule of the registry.
    """
    record = record_of(document, authority_id)
    keys = _with_new(record.keys, authority_id, new)
    usable = usable_keys(record, now)
    same = [kid for kid, key in usable.items() if key.alg == new.alg]
    if not replaces and len(same) > 1:
        raise TrustError(
            f"{authority_id} has {len(same)} usable {new.alg} keys",
            remedy=f"say which one ends: {', '.join(same)}",
            reason="ambiguous-key",
        )
    ended = tuple(replaces) or tuple(same)
    until = max(now, new.not_before) + overlap
    for kid in ended:
        if kid not in usable:
            raise TrustError(f"{kid} is no usable key of {authority_id}", reason="unknown-key")
        if kid not in same:
            raise TrustError(
                f"{kid} is a {usable[kid].alg} key; it is replaced by one of the same algorithm",
                reason="wrong-algorithm",
            )
        keys[kid] = msgspec.structs.replace(keys[kid], not_after=min(keys[kid].not_after, until))
    changed = with_record(document, authority_id, keys=keys)
    check_rules(changed)
    return changed, ended


def add_key(document: Registry, authority_id: str, new: KeyRecord) -> Registry:
    """The document with one more key for an authority; none ends. A reserve key in a safe can revoke the others after a theft.

    Raises:
        TrustError: `unknown-authority`; `shared-key` if it is already registered; or the reason of a rule of the
            registry.
    """
    keys = _with_new(record_of(document, authority_id).keys, authority_id, new)
    changed = with_record(document, authority_id, keys=keys)
    check_rules(changed)
    return changed


def _with_new(keys: Mapping[str, KeyRecord], authority_id: str, new: KeyRecord) -> dict[str, KeyRecord]:
    kid = thumbprint(new.jwk)
    if kid in keys:
        raise TrustError(
            f"key {kid} already belongs to {authority_id}", remedy="make a new one", reason="shared-key"
        )
    return {**keys, kid: new}


def replace_nkeys(document: Registry, authority_id: str, nkeys: Sequence[str]) -> Registry:
    """The document with other transport keys for an authority. After a reload the broker cuts connections by the old ones.

    Raises:
        TrustError: `unknown-authority`, or the reason of a rule of the registry.
    """
    changed = with_record(document, authority_id, nkeys=tuple(nkeys))
    check_rules(changed)
    return changed


def rotate_role(role: Role, keys: Sequence[KeyRecord], threshold: int | None = None) -> Role:
    """The role with another set of keys; a key that stays keeps its record."""
    kept = {thumbprint(key.jwk): key for key in keys}
    return Role(
        threshold=role.threshold if threshold is None else threshold,
        keys={kid: role.keys.get(kid, key) for kid, key in kept.items()},
    )


def revoke_keys(
    document: Registry,
    authority_id: str,
    kids: Collection[str],
    *,
    since: dt.datetime,
    reason: str,
    now: dt.datetime,
) -> Registry:
    """The document with keys of an authority revoked since a moment; its `issued` is not before that moment.

    A key that is already revoked gets the new moment: the registry (m of n) takes precedence over a statement by one
    key.

    Raises:
        TrustError: `unknown-authority`, `unknown-key`; `from-the-future` when `since` is after `now`.
    """
    keys = dict(record_of(document, authority_id).keys)
    if since > now:
        raise TrustError(
            "the time since which a key is revoked must not be in the future", reason="from-the-future"
        )
    for kid in kids:
        if kid not in keys:
            raise TrustError(f"{kid} is no key of {authority_id}", reason="unknown-key")
        keys[kid] = msgspec.structs.replace(keys[kid], revoked_since=since, revoked_for=reason)
    issued = max(document.issued, since)  # the proposal may be older, or cut to whole seconds
    return with_record(msgspec.structs.replace(document, issued=issued), authority_id, keys=keys)


def record_of(document: Registry, authority_id: str, remedy: str | None = None) -> AuthorityRecord:
    """The record of an authority.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = document.authorities.get(authority_id)
    if record is None:
        raise TrustError(f"{authority_id} is not in the registry", remedy=remedy, reason="unknown-authority")
    return record


def with_record(document: Registry, authority_id: str, **fields: object) -> Registry:
    """The document with some fields of an authority's record changed.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = msgspec.structs.replace(record_of(document, authority_id), **fields)
    return msgspec.structs.replace(document, authorities={**document.authorities, authority_id: record})
