"""The registry: each rule refuses what breaks it, and nothing else changes what a reader believes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bus import ceremony
from bus.errors import PermitError, TrustError
from bus.signing import FileSigner
from bus.trust import TrustState, VerifiedRegistry
from schemas.registry import Audience, Registry
from schemas.subject import channel_of
from schemas.vocab import Scope, Tlp
from tests.worlds import NOW, World, bulletin, key_record, shared_world, signed_registry

DAY = dt.timedelta(days=1)


def after(world: World, **changes: Any) -> Registry:
    """The next version, with fields replaced."""
    made = ceremony.next_version(world.registry.document, world.registry.digest, world.now, 90 * DAY)
    return msgspec.structs.replace(made, **changes)


def with_authority(world: World, authority: str, **changes: Any) -> Registry:
    """The next version with one authority's record changed."""
    record = msgspec.structs.replace(world.registry.document.authorities[authority], **changes)
    return ceremony.add_authority(after(world), authority, record)


def test_the_next_version_under_both_quorums_is_taken() -> None:
    """Two of three roots, one version later."""
    world = shared_world()
    found = world.registry.update(signed_registry(after(world), world.roots[1:]), world.now)
    assert (found.version, found.document.prev) == (2, world.registry.digest)
    assert world.registry.version == 1


def test_the_same_version_again_changes_nothing() -> None:
    """Receiving what is held is no update."""
    world = shared_world()
    assert world.registry.update(world.raw, world.now) is world.registry


def test_roots_rotate_under_the_old_quorum_and_the_new() -> None:
    """A new root needs both; the removed one signs nothing any more."""
    world = shared_world()
    newcomer = FileSigner.generate()
    keys = {each.kid: key_record(each) for each in (newcomer, *world.roots[1:])}
    document = after(world, root=msgspec.structs.replace(world.registry.document.root, keys=keys))
    with pytest.raises(TrustError, match="new root"):
        world.registry.update(signed_registry(document, world.roots[:2]), world.now)
    rotated = world.registry.update(signed_registry(document, world.roots[1:]), world.now)
    again = ceremony.next_version(rotated.document, rotated.digest, world.now, 90 * DAY)
    with pytest.raises(TrustError) as refused:
        rotated.update(signed_registry(again, (world.roots[0], world.roots[1])), world.now)
    assert refused.value.reason == "threshold"


STOLEN = FileSigner.generate()
SMALL = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def _small_order(world: World) -> Registry:
    from bus.signing import thumbprint

    jwk = {"kty": "OKP", "crv": "Ed25519", "x": SMALL}
    record = msgspec.structs.replace(key_record(STOLEN), jwk=jwk)
    return with_authority(world, "xa-csirt", keys={thumbprint(jwk): record})


def _transport_key(world: World) -> Registry:
    from bus import nkey
    from bus.signing import thumbprint
    from schemas.envelope import b64u

    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u(nkey.raw_public(world.nkeys["xb-hub"][1]))}
    record = msgspec.structs.replace(key_record(STOLEN), jwk=jwk)
    return with_authority(world, "xa-csirt", keys={thumbprint(jwk): record})


BROKEN: dict[str, tuple[Callable[[World], Registry], str]] = {
    "rolled back": (lambda w: after(w, version=1, issued=w.now), "rollback"),
    "a version skipped": (lambda w: after(w, version=9), "skip"),
    "another history": (lambda w: after(w, prev="A" * 43), "fork"),
    "another domain": (lambda w: after(w, domain="elsewhere"), "domain"),
    "from the future": (lambda w: after(w, issued=w.now + DAY), "from-the-future"),
    "a threshold out of reach": (
        lambda w: after(w, beacon=msgspec.structs.replace(w.registry.document.beacon, threshold=2)),
        "unreachable-threshold",
    ),
    "a key under another id": (
        lambda w: with_authority(w, "xa-csirt", keys={"A" * 43: key_record(STOLEN)}),
        "not-a-thumbprint",
    ),
    "one key, two authorities": (
        lambda w: with_authority(w, "xa-csirt", keys=w.registry.document.authorities["xb-csirt"].keys),
        "shared-key",
    ),
    "a root as an authority": (
        lambda w: with_authority(w, "xa-csirt", keys={w.roots[0].kid: key_record(w.roots[0])}),
        "shared-key",
    ),
    "a key of small order": (_small_order, "weak-key"),
    "a transport key that signs": (_transport_key, "transport-key"),
    "a malformed transport key": (
        lambda w: with_authority(w, "xa-csirt", nkeys=("U" + "A" * 55,)),
        "malformed-nkey",
    ),
    "a reader that is no member": (
        lambda w: with_authority(w, "xb-hub", read=w.registry.document.authorities["xa-hub"].read),
        "not-a-member",
    ),
    "an audience with an authority's name": (
        lambda w: after(
            w, audiences={**w.registry.document.audiences, "xa-csirt": Audience(scope=Scope.UNION)}
        ),
        "audience",
    ),
    "a grant for nobody": (
        lambda w: after(
            w, audiences={k: v for k, v in w.registry.document.audiences.items() if k != "community"}
        ),
        "audience",
    ),
    "an id of another country": (lambda w: with_authority(w, "xa-csirt", country="XB"), "authority-id"),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_registry_that_breaks_a_rule_is_refused(make: Callable[[World], Registry], reason: str) -> None:
    """Even with every root's signature."""
    world = shared_world()
    with pytest.raises(TrustError) as refused:
        world.registry.update(signed_registry(make(world), world.roots), world.now)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "who", ["one root", "one root twice", "a root and a stranger", "the beacon key and a root"]
)
def test_too_few_roots_change_nothing(who: str) -> None:
    """Less than the threshold of distinct root keys is nothing."""
    world = shared_world()
    signers = {
        "one root": (world.roots[0],),
        "one root twice": (world.roots[0], world.roots[0]),
        "a root and a stranger": (world.roots[0], STOLEN),
        "the beacon key and a root": (world.beacon, world.roots[0]),
    }[who]
    with pytest.raises(TrustError) as refused:
        world.registry.update(signed_registry(after(world), signers), world.now)
    assert refused.value.reason == "threshold"


def test_a_first_version_is_believed_by_its_pin() -> None:
    """Another digest or another domain is refused."""
    world = shared_world()
    assert VerifiedRegistry.open(world.raw, pin=world.pin, domain="test").version == 1
    for arguments, reason in (({"pin": "A" * 43}, "pin"), ({"domain": "elsewhere"}, "domain")):
        with pytest.raises(TrustError) as refused:
            VerifiedRegistry.open(world.raw, **arguments)
        assert refused.value.reason == reason


def beacon(
    world: World,
    *,
    signer: FileSigner | None = None,
    now: dt.datetime = NOW,
    life: dt.timedelta = DAY,
    **changes: Any,
) -> bytes:
    """A beacon for the world's registry, with fields replaced."""
    from bus.signing import sign_entry
    from schemas.codec import encode
    from schemas.envelope import TYP_BEACON, write_signed
    from schemas.registry import BEACON_SPEC, Beacon

    made = Beacon(
        spec=BEACON_SPEC,
        domain=world.registry.domain,
        version=world.registry.version,
        digest=world.registry.digest,
        issued=now,
        expires=now + life,
    )
    payload = encode(msgspec.structs.replace(made, **changes))
    return write_signed(payload, (sign_entry(signer or world.beacon, payload, typ=TYP_BEACON),))


def test_trust_is_fresh_behind_stale_or_expired_and_never_silent() -> None:
    """What is known of currency is said; an expired registry still answers."""
    world = shared_world()
    bare = VerifiedRegistry.open(world.raw)
    assert bare.state(NOW) is TrustState.STALE
    fresh = bare.with_beacon(beacon(world), NOW)
    assert fresh.state(NOW) is TrustState.FRESH
    assert fresh.state(NOW + 2 * DAY) is TrustState.STALE
    assert bare.with_beacon(beacon(world, version=2, digest="B" * 43), NOW).state(NOW) is TrustState.BEHIND
    assert fresh.state(NOW + 100 * DAY) is TrustState.EXPIRED
    assert fresh.key(world.signers["xa-csirt"].kid) is not None


BEACONS: dict[str, tuple[Callable[[World], bytes], str]] = {
    "by a stranger": (lambda w: beacon(w, signer=STOLEN), "threshold"),
    "of another domain": (lambda w: beacon(w, domain="elsewhere"), "domain"),
    "from the future": (lambda w: beacon(w, now=NOW + DAY), "from-the-future"),
    "run out": (lambda w: beacon(w, now=NOW - 2 * DAY), "expired"),
    "older than the last": (lambda w: beacon(w, now=NOW - DAY / 2), "rollback"),
    "another registry of this version": (lambda w: beacon(w, digest="B" * 43), "fork"),
}


@pytest.mark.parametrize(("make", "reason"), BEACONS.values(), ids=BEACONS)
def test_a_beacon_that_breaks_a_rule_is_refused(make: Callable[[World], bytes], reason: str) -> None:
    """Alarms, never a change of what is believed."""
    world = shared_world()
    with pytest.raises(TrustError) as refused:
        world.registry.with_beacon(make(world), NOW)
    assert refused.value.reason == reason


def test_grants_decide_who_says_and_who_reads() -> None:
    """The demonstration's one withheld network is withheld."""
    world = shared_world()
    registry = world.registry
    strict = channel_of(bulletin(world, "xa-dpa", tlp=Tlp.AMBER_STRICT, audience="eu-dpas"))
    assert registry.readers(strict) == ("xa-hub",)
    assert not registry.may_read("xb-hub", strict)
    assert registry.may_publish("xa-dpa", strict)
    assert not registry.may_publish("xa-csirt", strict)
    registry.permit(bulletin(world))
    for changes in ({"tlp": Tlp.AMBER}, {"audience": "eu-dsc"}, {"tlp": Tlp.CLEAR, "audience": "public"}):
        with pytest.raises(PermitError, match="no grant"):
            registry.permit(bulletin(world, **changes))


def test_sixty_authorities_load_quickly() -> None:
    """A registry of a real federation is no burden at start."""
    world = shared_world()
    document = world.registry.document
    for n in range(60):
        signer = FileSigner.generate()
        record = msgspec.structs.replace(
            document.authorities["xa-csirt"], keys={signer.kid: key_record(signer)}, nkeys=()
        )
        document = ceremony.add_authority(document, f"xa-body{n}", record)
    raw = signed_registry(document, world.roots)
    began = time.perf_counter()
    VerifiedRegistry.open(raw)
    assert time.perf_counter() - began < 0.5
