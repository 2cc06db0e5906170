"""Seal keys in the registry: their rules, whose turn it is, and what an audience's policy asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bus.errors import PermitError, TrustError
from bus.sealing.recipients import current_key, must_seal, owner_of, recipients
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.envelope import b64u
from schemas.registry import Registry, SealKeyRecord
from schemas.subject import channel_of
from schemas.vocab import SealPolicy, Status, Tlp
from tests.support.sealed import (
    DAY,
    HUB,
    ISSUER,
    READERS,
    inner_bulletin,
    opening_key,
    outer_of,
    seal_record,
    sealed_world,
    with_seal_keys,
    world_with,
)
from tests.support.world import NOW, World, bulletin, make_world, signed_registry


def holding(world: World, name: str, keys: dict[str, SealKeyRecord]) -> Registry:
    """The registry with these seal keys for one authority."""
    document = world.registry.document
    record = msgspec.structs.replace(document.authorities[name], seal_keys=keys)
    return msgspec.structs.replace(document, authorities={**document.authorities, name: record})


NEW = opening_key("new").public


def one(**changes: Any) -> Callable[[World], Registry]:
    """A second reader with one key, changed."""
    return lambda world: holding(world, READERS[1], {NEW.kid: seal_record(NEW, **changes)})


def _weak(world: World) -> Registry:
    from bus.keys.signatures import thumbprint

    jwk = {**NEW.jwk, "pub": b64u(NEW.raw[:1184] + bytes(32))}
    return holding(world, READERS[1], {thumbprint(jwk): seal_record(NEW, jwk=jwk)})


BROKEN: dict[str, tuple[Callable[[World], Registry], str]] = {
    "a window of more than 90 days": (
        one(not_before=NOW, not_after=NOW + 90 * DAY + dt.timedelta(seconds=1)),
        "seal-window",
    ),
    "it ends before it begins": (one(not_after=NOW - 31 * DAY), "malformed-registry"),
    "under another id": (
        lambda w: holding(w, READERS[1], {"A" * 43: seal_record(NEW)}),
        "not-a-thumbprint",
    ),
    "of two authorities": (
        lambda w: holding(w, READERS[1], w.registry.document.authorities[READERS[0]].seal_keys),
        "shared-key",
    ),
    "a point of small order": (_weak, "weak-key"),
    "no key": (one(jwk={"kty": "AKP", "alg": "HPKE-9-KE", "pub": "AAAA"}), "unsupported-key"),
    "a key that signs": (one(jwk={"kty": "OKP", "crv": "Ed25519", "x": b64u(bytes(32))}), "unsupported-key"),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_registry_with_a_bad_seal_key_is_refused(make: Callable[[World], Registry], reason: str) -> None:
    """Even with every root's signature."""
    world = sealed_world()
    with pytest.raises(TrustError) as refused:
        VerifiedRegistry.open(signed_registry(make(world), world.roots))
    assert refused.value.reason == reason


def test_a_dropped_seal_key_does_not_come_back() -> None:
    """The seal keys of a replaced record are remembered; a later version cannot start their window again."""
    world = sealed_world()
    first = with_(world, READERS[1], seal_record(NEW))
    held = VerifiedRegistry.open(signed_registry(first, world.roots))
    without = msgspec.structs.replace(held.authority(READERS[1]), seal_keys={})
    forgotten = msgspec.structs.replace(first, authorities={**first.authorities, READERS[1]: without})
    with pytest.raises(TrustError) as refused:
        held.update(following(held, forgotten, world), NOW)
    assert refused.value.reason == "seal-window"
    gone = held.update(following(held, proposals.add_authority(first, READERS[1], without), world), NOW)
    with pytest.raises(TrustError) as refused:
        gone.update(following(gone, first, world), NOW)
    assert refused.value.reason == "key-revoked"


def test_a_window_does_not_begin_anew() -> None:
    """A next version neither moves the window of a key, nor takes back its revocation; it may end it."""
    world = sealed_world()
    first = with_(world, READERS[1], seal_record(NEW))
    held = VerifiedRegistry.open(signed_registry(first, world.roots))
    with pytest.raises(TrustError) as refused:
        proposals.add_seal_key(first, READERS[1], seal_record(NEW))
    assert refused.value.reason == "seal-window"
    moved = with_(world, READERS[1], seal_record(NEW, not_before=NOW, not_after=NOW + 90 * DAY))
    with pytest.raises(TrustError) as refused:
        held.update(following(held, moved, world), NOW)
    assert refused.value.reason == "seal-window"
    ended = held.update(
        following(held, proposals.revoke_seal_key(held.document, READERS[1], NEW.kid, NOW), world), NOW
    )
    assert current_key(ended.seal_keys(READERS[1]), NOW) is None
    with pytest.raises(TrustError) as refused:
        ended.update(following(ended, first, world), NOW)
    assert refused.value.reason == "key-revoked"
    for authority, kid, reason in (
        (READERS[1], "A" * 43, "unknown-key"),
        ("xa-nobody", NEW.kid, "unknown-authority"),
    ):
        with pytest.raises(TrustError) as refused:
            proposals.revoke_seal_key(first, authority, kid, NOW)
        assert refused.value.reason == reason


def with_(world: World, name: str, record: SealKeyRecord) -> Registry:
    """The registry with one seal key for one authority."""
    return holding(world, name, {NEW.kid: record})


def following(held: VerifiedRegistry, document: Registry, world: World) -> bytes:
    """The next version after the one held, with what a document says, signed by every root."""
    made = ceremony.next_version(held.document, held.digest, NOW, 90 * DAY)
    made = msgspec.structs.replace(
        made,
        authorities=document.authorities,
        audiences=document.audiences,
        revoked={**made.revoked, **document.revoked},
    )
    return signed_registry(made, world.roots)


def test_ninety_days_are_allowed() -> None:
    """To the second."""
    world = sealed_world()
    document = one(not_before=NOW, not_after=NOW + 90 * DAY)(world)
    assert VerifiedRegistry.open(signed_registry(document, world.roots)).version == 1


def test_the_newest_valid_key_is_sealed_to() -> None:
    """Neither one that has ended, nor one not begun, nor one revoked; of two valid ones the later."""
    names = ("ended", "older", "newer", "revoked", "coming")
    keys = {name: opening_key(name).public for name in names}
    changes: dict[str, dict[str, dt.datetime]] = {
        "ended": {"not_after": NOW},
        "older": {},
        "newer": {"not_before": NOW},
        "revoked": {"not_before": NOW, "revoked_since": NOW},
        "coming": {"not_before": NOW + DAY},
    }
    records = {keys[name].kid: seal_record(keys[name], **changes[name]) for name in names}
    document = holding(sealed_world(), READERS[0], records)
    assert getattr(current_key(records, NOW), "kid", None) == keys["newer"].kid
    assert getattr(current_key(records, NOW - DAY), "kid", None) == keys["older"].kid
    assert current_key(records, NOW + 40 * DAY) is None
    assert current_key({}, NOW) is None
    assert owner_of(document, keys["ended"].kid) == READERS[0]
    assert owner_of(document, "A" * 43) is None


def test_it_is_sealed_to_those_who_read_and_to_its_issuer() -> None:
    """A hub without a key is passed over; a reader without one is named, unless left out knowingly."""
    world = sealed_world()
    channel = channel_of(inner_bulletin(world))
    found = recipients(channel, world.registry, NOW)
    assert [each.authority_id for each in found] == [ISSUER, *READERS]
    document = holding(world, READERS[1], {})
    poorer = world_with(document, world).registry
    with pytest.raises(PermitError, match=f"^{READERS[1]} has no valid seal key") as refused:
        recipients(channel, poorer, NOW)
    assert refused.value.reason == "no-seal-key"
    left = recipients(channel, poorer, NOW, without={READERS[1]})
    assert [each.authority_id for each in left] == [ISSUER, READERS[0]]
    with pytest.raises(PermitError) as refused:
        recipients(channel, poorer, NOW, without=READERS)
    assert refused.value.reason == "no-recipient"
    with pytest.raises(PermitError, match="xb-csirt, xb-dpa have no valid seal key"):
        recipients(channel, world.registry, NOW + 60 * DAY)


def test_at_most_sixty_four() -> None:
    """A wider audience cannot be sealed to."""
    world = sealed_world()
    document = world.registry.document
    base = document.authorities[READERS[0]]
    audience = document.audiences["eu-sealed"]
    extra = {}
    for n in range(64):
        key = opening_key(f"many {n}").public
        extra[f"xb-many{n}"] = msgspec.structs.replace(
            base, keys={}, nkeys=(), publish=(), seal_keys={key.kid: seal_record(key)}
        )
    many = msgspec.structs.replace(audience, members=(*audience.members, *extra))
    document = msgspec.structs.replace(
        document,
        authorities={**document.authorities, **extra},
        audiences={**document.audiences, "eu-sealed": many},
    )
    with pytest.raises(PermitError) as refused:
        recipients(channel_of(inner_bulletin(world)), world_with(document, world).registry, NOW)
    assert refused.value.reason == "too-large"


@pytest.mark.parametrize("policy", list(SealPolicy))
def test_the_policy_of_the_audience_decides(policy: SealPolicy) -> None:
    """`cross-border` looks at who reads; CLEAR, `system` and what is sealed already are never sealed."""
    base = make_world()
    world = world_with(with_seal_keys(base.registry.document, policy=policy), base)
    inner = inner_bulletin(world)
    assert must_seal(inner, world.registry) == (policy is not SealPolicy.NEVER)
    never = (
        msgspec.structs.replace(inner, status=Status.SYSTEM),
        msgspec.structs.replace(inner, tlp=Tlp.CLEAR),
        outer_of(world, inner),
        bulletin(world, ISSUER),
        msgspec.structs.replace(inner, audience=HUB),
    )
    assert not any(must_seal(each, world.registry) for each in never)
    homely = msgspec.structs.replace(inner, issuer=world.registry.issuer("xb-emb"))
    assert must_seal(homely, world.registry) == (policy is SealPolicy.ALWAYS)
