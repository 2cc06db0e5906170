"""The registry: each rule refuses what breaks it, and nothing else changes what a reader believes."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import PermitError, TrustError
from bus.keys.signatures import FileSigner, PublicKey, sign_entry
from bus.trust import ceremony, proposals
from bus.trust.registry import TrustState, VerifiedRegistry
from bus.trust.revocations import Ending
from schemas.codec import digest, encode
from schemas.envelope import TYP_BEACON, TYP_REGISTRY, b64u, read_signed, unb64u, write_signed
from schemas.registry import BEACON_SPEC, MAX_REGISTRY_BYTES, Audience, Beacon, Registry, Role
from schemas.subject import channel_of
from schemas.vocab import Scope, Tlp
from tests.support.counting import calls
from tests.support.mutations import Mutations
from tests.support.world import NOW, World, bulletin, key_record, shared_world, signed_registry, within
from tests.vectors import registry_cases

DAY = dt.timedelta(days=1)
CANONICAL = {
    n.to_bytes(32, "little")
    for n in (
        0,
        1,
        2**255,
        2**255 - 20,
        *(int.from_bytes(each, "little") for each in registry_cases.SMALL_ORDER[10:]),
    )
}
"""Of the fourteen, those in the one spelling that RFC 8032 allows."""
WORLD = shared_world()


def after(world: World, **changes: Any) -> Registry:
    """The next version, with fields replaced."""
    made = ceremony.next_version(world.registry.document, world.registry.digest, world.now, 90 * DAY)
    return msgspec.structs.replace(made, **changes)


def with_authority(world: World, authority: str, **changes: Any) -> Registry:
    """The next version with one authority's record changed."""
    record = msgspec.structs.replace(world.registry.document.authorities[authority], **changes)
    return proposals.add_authority(after(world), authority, record)


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
    from bus.keys.signatures import thumbprint

    jwk = {"kty": "OKP", "crv": "Ed25519", "x": SMALL}
    record = msgspec.structs.replace(key_record(STOLEN), jwk=jwk)
    return with_authority(world, "xa-csirt", keys={thumbprint(jwk): record})


def _transport_key(world: World) -> Registry:
    from bus.keys import nkeys
    from bus.keys.signatures import thumbprint
    from schemas.envelope import b64u

    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u(nkeys.raw_public(world.nkeys["xb-hub"][1]))}
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
    from bus.keys.signatures import sign_entry
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
    return write_signed(payload, (sign_entry(signer or world.beacon, payload, within(TYP_BEACON)),))


def test_trust_is_fresh_behind_stale_or_expired_and_never_silent() -> None:
    """The state of trust is always reported; an expired registry still answers."""
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


def test_a_registry_is_opened_in_steps_that_grow_with_its_length() -> None:
    """Twenty authorities more cost the same after forty as after none: a federation's registry is no burden at start."""
    world = shared_world()
    document = world.registry.document
    steps = []
    for n in range(61):
        if n % 20 == 0:
            raw = signed_registry(document, world.roots)
            steps.append(calls(partial(VerifiedRegistry.open, raw)))
        signer = FileSigner.generate()
        record = msgspec.structs.replace(
            document.authorities["xa-csirt"], keys={signer.kid: key_record(signer)}, nkeys=()
        )
        document = proposals.add_authority(document, f"xa-body{n}", record)
    first, *later = (after - before for before, after in itertools.pairwise(steps))
    assert first > 0
    assert all(more <= 1.2 * first for more in later)


def test_whatever_is_done_to_a_registry_file_it_is_refused_or_the_same(mutations: Mutations) -> None:
    """Mutated files of the held version, the next one and a beacon: TrustError, or exactly what the roots signed."""
    world = shared_world()
    following = signed_registry(after(world), world.roots[:2])
    newest = beacon(world, now=NOW)
    held = VerifiedRegistry.open(world.raw, pin=world.pin)
    files = (world.raw, following, newest)
    payloads = {
        digest(read_signed(raw, within(TYP_REGISTRY), max_bytes=MAX_REGISTRY_BYTES).payload)
        for raw in (world.raw, following)
    }
    outcomes: Counter[str] = Counter()

    def mutate(data: st.DataObject) -> None:
        which = data.draw(st.sampled_from(["open", "update", "beacon"]))
        old = files[["open", "update", "beacon"].index(which)]
        new = data.draw(mangled(old))
        try:
            if which == "open":
                found = VerifiedRegistry.open(new, pin=world.pin)
            elif which == "update":
                found = held.update(new, NOW)
            else:
                found = held.with_beacon(new, NOW)
        except TrustError as refused:
            outcomes[refused.reason] += 1
        else:
            outcomes["believed"] += 1
            assert found.digest in payloads
            assert found.beacon is None or found.beacon.digest == world.registry.digest
        assert (held.version, held.digest, held.beacon) == (1, world.pin, None)

    mutations.run(st.data(), 300, mutate)
    assert outcomes["believed"] > 0
    assert {"threshold", "malformed-registry", "malformed-beacon", "pin"} <= set(outcomes)


@st.composite
def mangled(draw: st.DrawFn, raw: bytes) -> bytes:
    """A signed file with its payload, a signature, its list of signatures or its very bytes changed."""
    how = draw(st.sampled_from(["bytes", "payload", "signature", "drop", "swap", "space"]))
    if how == "bytes":
        start = draw(st.integers(0, len(raw)))
        return raw[:start] + draw(st.binary(max_size=3)) + raw[start + draw(st.integers(0, 3)) :]
    members = json.loads(raw)
    if how == "payload":
        payload = bytearray(unb64u(members["payload"]))
        payload[draw(st.integers(0, len(payload) - 1))] ^= 1 << draw(st.integers(0, 7))
        members["payload"] = b64u(bytes(payload))
    elif how == "signature":
        signature = bytearray(unb64u(members["signatures"][0]["signature"]))
        signature[draw(st.integers(0, len(signature) - 1))] ^= 1 << draw(st.integers(0, 7))
        members["signatures"][0]["signature"] = b64u(bytes(signature))
    elif how == "drop":
        members["signatures"].pop()
    elif how == "swap":
        members["signatures"].reverse()
    return json.dumps(members).encode()


def test_a_registry_signed_over_any_mutation_is_read_or_refused() -> None:
    """Roots that sign spoilt bytes change nothing by it that the rules forbid, and nothing but TrustError comes."""
    world = shared_world()
    good = encode(after(world))
    outcomes: Counter[str] = Counter()

    def judge(spoilt: bytes) -> None:
        entries = tuple(sign_entry(root, spoilt, within(TYP_REGISTRY)) for root in world.roots[:2])
        try:
            found = world.registry.update(write_signed(spoilt, entries), NOW)
        except TrustError as refused:
            outcomes[refused.reason] += 1
        else:
            outcomes["believed"] += 1
            assert (found.version, found.document.prev) == (2, world.registry.digest)
            assert found.digest == digest(spoilt)

    @settings(max_examples=150)
    @given(st.data())
    def mutate(data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(good) - 1))
        judge(
            good[:start]
            + data.draw(st.binary(min_size=1, max_size=2))
            + good[start + data.draw(st.integers(0, 2)) :]
        )

    mutate()
    judge(good.replace(b'"version":2', b'"version":3'))
    judge(good.replace(b"CSIRT", b"TRISC"))
    assert {"malformed-registry", "skip", "believed"} <= set(outcomes)


@pytest.mark.parametrize("point", registry_cases.SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_is_refused_and_would_be_dangerous(point: bytes) -> None:
    """The fixed signature (the neutral point, nought) verifies under it for some message within a few; we load no such key."""
    with pytest.raises(TrustError) as refused:
        PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64u(point)}, "Ed25519")
    assert refused.value.reason == "weak-key"
    neutral = (1).to_bytes(32, "little") + bytes(32)
    forged = 0
    for n in range(64):
        try:
            Ed25519PublicKey.from_public_bytes(point).verify(neutral, b"message %d" % n)
        except (InvalidSignature, ValueError):
            continue
        forged += 1
    assert forged or point not in CANONICAL


def test_there_are_fourteen_points_of_small_order() -> None:
    """Orders 1, 2, 4, 8 and 8, two signs, and the spellings beyond the prime."""
    assert len(registry_cases.SMALL_ORDER) == len(set(registry_cases.SMALL_ORDER)) == 14
    assert set(registry_cases.SMALL_ORDER) >= CANONICAL


# -- a beacon lives with its role -------------------------------------------------------------------------------------


def announcing(version: int, digest: str, **times: dt.datetime) -> bytes:
    """A beacon by the world's beacon key."""
    made = Beacon(
        spec=BEACON_SPEC,
        domain="test",
        version=version,
        digest=digest,
        issued=times.get("issued", NOW),
        expires=times.get("expires", NOW + dt.timedelta(hours=6)),
    )
    payload = encode(made)
    return write_signed(payload, (sign_entry(WORLD.beacon, payload, within(TYP_BEACON)),))


def version_two(**changes: object) -> bytes:
    """The second version, signed by all roots."""
    first = VerifiedRegistry.open(WORLD.raw)
    document = ceremony.next_version(first.document, first.digest, NOW, dt.timedelta(days=90))
    return signed_registry(msgspec.structs.replace(document, **changes), WORLD.roots)


def test_a_beacon_goes_with_its_role() -> None:
    """An announcement by a stolen beacon key blocks nothing once the roots have replaced the key."""
    lied = VerifiedRegistry.open(WORLD.raw).with_beacon(announcing(900, "A" * 43), NOW)
    assert lied.state(NOW) is TrustState.BEHIND
    new = FileSigner.generate()
    second = lied.update(version_two(beacon=Role(threshold=1, keys={new.kid: key_record(new)})), NOW)
    assert (second.beacon, second.contradicted, second.state(NOW)) == (None, None, TrustState.STALE)
    fresh = second.with_beacon(ceremony.new_beacon(second, new, NOW, dt.timedelta(hours=6)), NOW)
    assert fresh.state(NOW) is TrustState.FRESH


def test_another_threshold_is_another_role() -> None:
    """The beacon held was vouched for by fewer keys than the next version asks for."""
    new = FileSigner.generate()
    role = VerifiedRegistry.open(WORLD.raw).document.beacon
    both = Role(threshold=2, keys={**role.keys, new.kid: key_record(new)})
    assert WORLD.registry.update(version_two(beacon=both), NOW).beacon is None


def test_a_version_that_a_beacon_named_otherwise_is_taken_and_said() -> None:
    """It is the roots' word; the beacon is dropped, trust is stale until a true one comes, and the false one is a fork."""
    false = announcing(2, "A" * 43)
    held = VerifiedRegistry.open(WORLD.raw).with_beacon(false, NOW)
    second = held.update(version_two(), NOW)
    assert second.version == 2
    assert second.contradicted is not None
    assert second.contradicted.digest == "A" * 43
    assert second.state(NOW) is TrustState.STALE
    with pytest.raises(TrustError) as refused:
        second.with_beacon(false, NOW)
    assert refused.value.reason == "fork"
    true = second.with_beacon(announcing(2, second.digest), NOW)
    assert (true.state(NOW), true.contradicted) == (TrustState.FRESH, None)


def test_a_beacon_that_named_the_version_that_came_stays() -> None:
    """It knew of it before."""
    second = VerifiedRegistry.open(version_two())
    held = VerifiedRegistry.open(WORLD.raw).with_beacon(announcing(2, second.digest), NOW)
    taken = held.update(version_two(), NOW)
    assert taken.state(NOW) is TrustState.FRESH
    assert taken.contradicted is None


def test_a_beacon_of_the_version_before_makes_nothing_fresh() -> None:
    """Neither the one that was held as the next version came, nor one that is heard again."""
    old = announcing(1, WORLD.registry.digest)
    second = VerifiedRegistry.open(WORLD.raw).with_beacon(old, NOW).update(version_two(), NOW)
    assert second.state(NOW) is TrustState.STALE
    for held in (second, VerifiedRegistry.open(version_two())):
        with pytest.raises(TrustError) as refused:
            held.with_beacon(old, NOW)
        assert refused.value.reason == "rollback"


def test_whatever_a_beacon_key_says_it_is_over_within_two_days() -> None:
    """The furthest announcement for the longest time, and then an honest beacon is heard."""
    first = VerifiedRegistry.open(WORLD.raw)
    lied = first.with_beacon(announcing(1001, "A" * 43, expires=NOW + dt.timedelta(hours=48)), NOW)
    later = NOW + dt.timedelta(hours=48)
    honest = announcing(1, first.digest, issued=later, expires=later + dt.timedelta(hours=6))
    assert lied.with_beacon(honest, later).state(later) is TrustState.FRESH


def test_a_beacon_of_the_future_holds_up_nothing() -> None:
    """Taken in by a clock that was wrong: it vouches for nothing until its time, and a true one takes its place."""
    first, issued = VerifiedRegistry.open(WORLD.raw), NOW + 30 * DAY
    late = announcing(1, first.digest, issued=issued, expires=issued + dt.timedelta(hours=6))
    held = first.with_beacon(late, issued)
    edge = issued - dt.timedelta(minutes=5)
    assert [held.state(at) for at in (NOW, edge - dt.timedelta(seconds=1), edge)] == [
        TrustState.STALE,
        TrustState.STALE,
        TrustState.FRESH,
    ]
    assert held.with_beacon(announcing(1, first.digest), NOW).state(NOW) is TrustState.FRESH
    with pytest.raises(TrustError) as refused:
        held.with_beacon(announcing(1, first.digest, issued=edge, expires=issued), edge)
    assert refused.value.reason == "rollback"


# -- nothing revoked is forgotten -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["root", "beacon", "bulletin"])
@pytest.mark.parametrize("returns", ["root", "beacon", "bulletin"])
def test_a_revoked_key_returns_in_no_role(role: str, returns: str) -> None:
    """It returns neither in the next version nor in a later one, from any version that a reader begins with."""
    key = FileSigner.generate()

    def with_key(document: Registry, place: str, **changes: Any) -> Registry:
        record = key_record(key, **changes)
        if place == "bulletin":
            mine = document.authorities["xa-csirt"]
            mine = msgspec.structs.replace(mine, keys={**mine.keys, key.kid: record})
            return msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": mine})
        had: Role = getattr(document, place)
        changed = msgspec.structs.replace(had, keys={**had.keys, key.kid: record})
        return msgspec.structs.replace(document, **{place: changed})

    def following(held: VerifiedRegistry) -> Registry:
        return ceremony.next_version(held.document, held.digest, NOW, dt.timedelta(days=90))

    first = VerifiedRegistry.open(WORLD.raw)
    second = first.update(
        signed_registry(with_key(following(first), role, revoked_since=NOW), WORLD.roots), NOW
    )
    # The third version lists it no more.
    bare = msgspec.structs.replace(
        following(second),
        **{name: getattr(first.document, name) for name in ("root", "beacon", "authorities")},
    )
    third = second.update(signed_registry(bare, WORLD.roots), NOW)
    assert third.document.revoked == {key.kid: NOW}
    begun = VerifiedRegistry.open(third.raw, pin=third.digest)
    for held in (second, third, begun):
        back = with_key(following(held), returns)
        forgetful = msgspec.structs.replace(back, revoked={})
        # Beside its revoked self in another role it stands in two places, which is refused first.
        reasons = {"key-revoked", "shared-key"} if held is second and role != returns else {"key-revoked"}
        for document in (back, forgetful):
            with pytest.raises(TrustError) as refused:
                held.update(signed_registry(document, WORLD.roots), NOW)
            assert refused.value.reason in reasons
    other = with_key(following(third), returns, revoked_since=NOW)
    assert third.update(signed_registry(other, WORLD.roots), NOW).version == 4
    assert third.ended(NOW)[key.kid] == Ending(since=NOW)
