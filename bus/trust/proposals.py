"""Edits of a registry document, before it is signed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from bus.errors import TrustError
from bus.keys import thumbprint
from bus.trust import receipt_grants, roles
from bus.trust.grants import HEARTBEAT, HUB, granted, spoken_by
from bus.trust.rotation import record_of, with_record
from bus.trust.rules import dropped_seal_keys
from schemas.bodies.system import receipt_tlp
from schemas.registry import (
    Audience,
    AuthorityRecord,
    PublishGrant,
    ReadGrant,
    Registry,
    SealKeyRecord,
)
from schemas.vocab import TALK, Scope, SealPolicy, Status, Tlp

REANCHOR = "reanchor"
ADD_FIRST = "add it first"


def add_authority(
    document: Registry, authority_id: str, record: AuthorityRecord, *, member_of: Sequence[str] = ()
) -> Registry:
    """The document with an authority added or replaced, and made a member of audiences.

    The seal keys of a replaced authority go into `revoked`, so that none gets a second window.
    """
    audiences = dict(document.audiences)
    for name in member_of:
        audience = audiences.get(name, Audience(scope=Scope.UNION))
        if authority_id not in audience.members:
            audiences[name] = msgspec.structs.replace(audience, members=(*audience.members, authority_id))
    had = document.authorities.get(authority_id)
    revoked = {**(dropped_seal_keys(had, record) if had else {}), **document.revoked}
    return msgspec.structs.replace(
        document,
        authorities={**document.authorities, authority_id: record},
        audiences=audiences,
        revoked=dict(sorted(revoked.items())),
    )


def set_audience(document: Registry, name: str, scope: Scope) -> Registry:
    """The document with an audience of this scope: a new one without members, or an existing one with its members."""
    had = document.audiences.get(name)
    audience = Audience(scope=scope) if had is None else msgspec.structs.replace(had, scope=scope)
    return msgspec.structs.replace(document, audiences={**document.audiences, name: audience})


def set_holidays(document: Registry, country: str, days: Iterable[dt.date]) -> Registry:
    """The document with these public holidays of a state in place of those that it had; without any, it has none of that state."""
    others = {name: each for name, each in document.holidays.items() if name != country}
    listed = tuple(sorted(set(days)))
    holidays = {**others, country: listed} if listed else others
    return msgspec.structs.replace(document, holidays=dict(sorted(holidays.items())))


def join(document: Registry, authority_id: str, audience: str) -> Registry:
    """The document with an authority as a member of an audience; its keys and grants stay.

    Raises:
        TrustError: `unknown-authority`, or `audience` when there is none of this name.
    """
    record_of(document, authority_id, ADD_FIRST)
    members = _audience(document, audience).members
    return (
        document if authority_id in members else _with_members(document, audience, (*members, authority_id))
    )


def leave(document: Registry, authority_id: str, audience: str, *, with_grants: bool = False) -> Registry:
    """The document without an authority's membership of an audience; its keys stay.

    Args:
        document: the proposal so far.
        authority_id: the authority that leaves.
        audience: the audience that it leaves.
        with_grants: whether its grants for this audience go too; those for others stay as they are.

    Raises:
        TrustError: `unknown-authority`, or `audience` when there is none of this name.
    """
    record = record_of(document, authority_id, ADD_FIRST)
    members = _audience(document, audience).members
    document = _with_members(document, audience, tuple(name for name in members if name != authority_id))
    if not with_grants:
        return document
    return with_record(
        document,
        authority_id,
        publish=_without(record.publish, audience),
        read=_without(record.read, audience),
    )


def grants_for(record: AuthorityRecord, audience: str) -> int:
    """The number of grants of a record that name an audience."""
    said = sum(audience in each.audiences for each in record.publish)
    return said + sum(audience in each.audiences for each in record.read)


G = TypeVar("G", PublishGrant, ReadGrant)


def _without(grants: Sequence[G], audience: str) -> tuple[G, ...]:
    """The grants without an audience; a grant that named only this audience is removed."""
    kept = []
    for each in grants:
        names = tuple(name for name in each.audiences if name != audience)
        if names:
            kept.append(each if names == each.audiences else _for(each, names))
    return tuple(kept)


def _for(grant: G, audiences: tuple[str, ...]) -> G:
    return msgspec.structs.replace(grant, audiences=audiences)


def _audience(document: Registry, name: str) -> Audience:
    if name not in document.audiences:
        raise TrustError(f"there is no audience {name} in the registry", reason="audience")
    return document.audiences[name]


def _with_members(document: Registry, name: str, members: tuple[str, ...]) -> Registry:
    changed = msgspec.structs.replace(document.audiences[name], members=members)
    return msgspec.structs.replace(document, audiences={**document.audiences, name: changed})


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
    record = record_of(document, authority_id, ADD_FIRST)
    return with_record(
        document,
        authority_id,
        publish=(*record.publish, *(grant for grant in publish if grant not in record.publish)),
        read=(*record.read, *(grant for grant in read if grant not in record.read)),
    )


def said_by(document: Registry, authority_id: str) -> tuple[str, ...]:
    """The kinds of bulletin that an authority of its kind publishes, to be named in its grants.

    Raises:
        TrustError: `unknown-authority`.
    """
    return roles.said_by(record_of(document, authority_id, ADD_FIRST).kind)


def beat(tlp: Tlp, audience: str) -> PublishGrant:
    """The grant to send heartbeats where others may read them, and to continue their channel after a theft."""
    return PublishGrant(
        statuses=(Status.SYSTEM,),
        tlps=(tlp,),
        audiences=(audience,),
        kinds=(HEARTBEAT, REANCHOR),
        areas=("*",),
    )


def grant_receipts(document: Registry, hub: str) -> Registry:
    """The document with a hub's grants towards every authority that it shares something with.

    The hub answers the authors of what it may read and asks them for missing bulletins. It asks other hubs that may
    read the same and hands them copies. Its heartbeats name what it holds. The new grants replace its earlier ones of
    the first sort, so the step can be repeated when authorities come or go.

    Raises:
        TrustError: `unknown-authority`.
    """
    record = record_of(document, hub, ADD_FIRST)
    reads = granted(record.read)
    shared: dict[Tlp, set[str]] = {}
    for name, other in document.authorities.items():
        theirs = spoken_by(other) | (granted(other.read) if other.kind == HUB else frozenset())
        for status, tlp, _ in reads & theirs:
            if name != hub and status not in TALK:
                shared.setdefault(receipt_tlp(tlp), set()).add(name)
    before = tuple(grant for grant in record.publish if not set(grant.kinds) <= set(receipt_grants.HELPFUL))
    helps = tuple(
        grant for tlp in sorted(shared) for grant in receipt_grants.grants(sorted(shared[tlp]), (tlp,))
    )
    beats = [beat(tlp, audience) for status, tlp, audience in sorted(reads) if status is Status.SYSTEM]
    beats = [grant for grant in beats if grant not in before]
    return with_record(document, hub, publish=(*before, *helps, *beats))


def add_seal_key(document: Registry, authority_id: str, record: SealKeyRecord) -> Registry:
    """The document with one more seal key of an authority.

    Raises:
        TrustError: `unknown-authority`, or `seal-window` for a key that it already has.
    """
    keys = record_of(document, authority_id, ADD_FIRST).seal_keys
    kid = thumbprint(record.jwk)
    if kid in keys:
        raise TrustError(
            f"seal key {kid} is already in the registry, and its window cannot start again",
            remedy="make a new key",
            reason="seal-window",
        )
    return with_record(document, authority_id, seal_keys={**keys, kid: record})


def revoke_seal_key(document: Registry, authority_id: str, kid: str, since: dt.datetime) -> Registry:
    """The document in which a seal key is revoked: nobody seals to it any more.

    Raises:
        TrustError: `unknown-authority`, or `unknown-key` for a key that the authority does not have.
    """
    keys = record_of(document, authority_id, ADD_FIRST).seal_keys
    if kid not in keys:
        raise TrustError(f"{authority_id} has no seal key {kid}", reason="unknown-key")
    ended = msgspec.structs.replace(keys[kid], revoked_since=keys[kid].revoked_since or since)
    return with_record(document, authority_id, seal_keys={**keys, kid: ended})


def set_seal_policy(document: Registry, audience: str, policy: SealPolicy) -> Registry:
    """The document with a new policy on which bulletins to an audience are sealed.

    Raises:
        TrustError: `audience`, when there is none of this name.
    """
    changed = msgspec.structs.replace(_audience(document, audience), seal=policy)
    return msgspec.structs.replace(document, audiences={**document.audiences, audience: changed})
