"""The life of keys in the registry: a new one beside the old, an end before its time, and no return."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest
from joserfc import jwk, jws

from bus.admission.steps import admit
from bus.errors import AdmissionError, TrustError
from bus.keys.signatures import FileSigner
from bus.trust import ceremony, proposals
from bus.trust.jwks import key_set
from bus.trust.registry import VerifiedRegistry
from bus.trust.rotation import check_rules, revoke_keys, rotate_key, rotate_role
from schemas.envelope import SIG_HEADER, b64u
from schemas.registry import Registry
from tests.support.world import NOW, World, bulletin, key_record, shared_world, sign, signed_registry

DAY = dt.timedelta(days=1)
NEW = FileSigner.generate()


def after(world: World) -> Registry:
    """The next version, unchanged."""
    return ceremony.next_version(world.registry.document, world.registry.digest, world.now, 90 * DAY)


def stand(world: World, document: Registry) -> VerifiedRegistry:
    """The registry once two of three roots have signed it."""
    return world.registry.update(signed_registry(document, world.roots[:2]), world.now)


def rotated(world: World, days: int = 30) -> VerifiedRegistry:
    """A registry in which xa-csirt has a new key beside its old one."""
    document, _ = rotate_key(
        after(world), "xa-csirt", key_record(NEW, not_before=NOW), overlap=days * DAY, now=NOW
    )
    return stand(world, document)


def verdict(world: World, registry: VerifiedRegistry, by: FileSigner, at: dt.datetime) -> str:
    """The verdict of admission on a bulletin of xa-csirt, issued and received at a moment."""
    message = sign(world, bulletin(world, issued=at), by)
    try:
        admit(message.subject, message.headers, message.payload, registry=registry, now=at)
    except AdmissionError as exc:
        return exc.reason
    return "admitted"


def test_both_keys_sign_during_the_overlap_and_only_the_new_one_after_it() -> None:
    """Before the change no reader trusts the new one."""
    world = shared_world()
    old, registry = world.signers["xa-csirt"], rotated(world)
    assert verdict(world, world.registry, NEW, NOW) == "unknown-key"
    for at, said in ((NOW + DAY, "admitted"), (NOW + 31 * DAY, "key-not-valid")):
        assert verdict(world, registry, old, at) == said
        assert verdict(world, registry, NEW, at) == "admitted"
    assert verdict(world, registry, NEW, NOW - DAY) == "key-not-valid"


def test_an_overlap_lengthens_no_window() -> None:
    """A key that ends sooner by itself still does."""
    world = shared_world()
    document, (ended,) = rotate_key(
        after(world), "xa-csirt", key_record(NEW, not_before=NOW), overlap=900 * DAY, now=NOW
    )
    kept = world.registry.document.authorities["xa-csirt"].keys[ended].not_after
    assert document.authorities["xa-csirt"].keys[ended].not_after == kept


def _twice(world: World) -> object:
    document, _ = rotate_key(after(world), "xa-csirt", key_record(NEW), overlap=DAY, now=NOW)
    return rotate_key(document, "xa-csirt", key_record(FileSigner.generate()), overlap=DAY, now=NOW)


ROTATIONS: dict[str, tuple[Callable[[World], object], str]] = {
    "of nobody": (
        lambda w: rotate_key(after(w), "xa-nobody", key_record(NEW), overlap=DAY, now=NOW),
        "unknown-authority",
    ),
    "of a key it does not have": (
        lambda w: rotate_key(
            after(w), "xa-csirt", key_record(NEW), replaces=["A" * 43], overlap=DAY, now=NOW
        ),
        "unknown-key",
    ),
    "to the key it has": (
        lambda w: rotate_key(after(w), "xa-csirt", key_record(w.signers["xa-csirt"]), overlap=DAY, now=NOW),
        "shared-key",
    ),
    "to another's key": (
        lambda w: rotate_key(after(w), "xa-csirt", key_record(w.signers["xb-csirt"]), overlap=DAY, now=NOW),
        "shared-key",
    ),
    "to another algorithm": (
        lambda w: rotate_key(
            after(w),
            "xa-csirt",
            key_record(FileSigner.generate("ES256")),
            replaces=[w.signers["xa-csirt"].kid],
            overlap=DAY,
            now=NOW,
        ),
        "wrong-algorithm",
    ),
    "of one of two, unsaid": (_twice, "ambiguous-key"),
    "of a root to a threshold out of reach": (
        lambda w: check_rules(
            msgspec.structs.replace(
                after(w), root=rotate_role(after(w).root, [key_record(w.roots[0])], threshold=2)
            )
        ),
        "unreachable-threshold",
    ),
    "revocation in the future": (
        lambda w: revoke_keys(
            after(w), "xa-csirt", [w.signers["xa-csirt"].kid], since=NOW + DAY, reason="key-lost", now=NOW
        ),
        "from-the-future",
    ),
    "revocation of another's key": (
        lambda w: revoke_keys(
            after(w), "xa-csirt", [w.signers["xb-csirt"].kid], since=NOW, reason="key-lost", now=NOW
        ),
        "unknown-key",
    ),
}


def test_a_key_is_revoked_since_any_moment_that_has_passed() -> None:
    """A proposal of a while ago, or one whose issue was cut to the second, takes a moment after it, and moves up to it."""
    world, moment = shared_world(), NOW + dt.timedelta(seconds=0.9)
    document = revoke_keys(
        after(world),
        "xa-csirt",
        [world.signers["xa-csirt"].kid],
        since=moment,
        reason="key-lost",
        now=moment,
    )
    assert document.issued == moment
    assert world.registry.update(signed_registry(document, world.roots), moment).revoked()


@pytest.mark.parametrize(("make", "reason"), ROTATIONS.values(), ids=ROTATIONS)
def test_a_proposal_that_could_not_stand_is_not_made(make: Callable[[World], object], reason: str) -> None:
    """Found by the person who proposes, not by the keepers who sign."""
    with pytest.raises(TrustError) as refused:
        make(shared_world())
    assert refused.value.reason == reason


def test_a_role_that_keeps_a_key_keeps_its_record() -> None:
    """Only the newcomer's window begins now."""
    world = shared_world()
    keys = [key_record(world.roots[0], not_before=NOW), key_record(NEW, not_before=NOW)]
    role = rotate_role(world.registry.document.root, keys)
    assert role.threshold == 2
    assert role.keys[world.roots[0].kid] == world.registry.document.root.keys[world.roots[0].kid]
    assert role.keys[NEW.kid].not_before == NOW


def test_a_revoked_key_admits_nothing_whatever_date_it_claims() -> None:
    """Back-dated or not; the authority's new key speaks on."""
    world = shared_world()
    old, registry = world.signers["xa-csirt"], rotated(world)
    document = ceremony.next_version(registry.document, registry.digest, NOW, 90 * DAY)
    document = revoke_keys(document, "xa-csirt", [old.kid], since=NOW - DAY, reason="key-compromise", now=NOW)
    revoked = registry.update(signed_registry(document, world.roots[:2]), NOW)
    for at in (NOW - 2 * DAY, NOW):
        assert verdict(world, revoked, old, at) == "key-revoked"
    assert verdict(world, revoked, NEW, NOW) == "admitted"
    assert revoked.document.authorities["xa-csirt"].keys[old.kid].revoked_for == "key-compromise"


def test_a_revoked_key_never_comes_back() -> None:
    """Not even under every root's signature: the next version may drop it, not trust it."""
    world = shared_world()
    kid = world.signers["xa-csirt"].kid
    revoked = stand(
        world, revoke_keys(after(world), "xa-csirt", [kid], since=NOW, reason="key-lost", now=NOW)
    )
    again = ceremony.next_version(revoked.document, revoked.digest, NOW, 90 * DAY)
    record = world.registry.document.authorities["xa-csirt"]
    with pytest.raises(TrustError) as refused:
        revoked.update(signed_registry(proposals.add_authority(again, "xa-csirt", record), world.roots), NOW)
    assert refused.value.reason == "key-revoked"
    dropped = proposals.add_authority(again, "xa-csirt", msgspec.structs.replace(record, keys={}))
    assert revoked.update(signed_registry(dropped, world.roots), NOW).key(kid) is None


def test_third_parties_verify_with_the_exported_keys() -> None:
    """A stock JOSE library finds the key by its kid; a revoked one is not there; every key says whose it is."""
    world = shared_world()
    lost = world.signers["xb-csirt"].kid
    registry = stand(
        world, revoke_keys(after(world), "xb-csirt", [lost], since=NOW, reason="key-lost", now=NOW)
    )
    exported = key_set(registry)
    assert {each["tocsin_authority"] for each in exported["keys"]} == {
        key.authority_id for key in registry.bulletin_keys()
    } - {"xb-csirt"}
    message = sign(world, bulletin(world))
    protected, signature = dict(message.headers)[SIG_HEADER].split("..")
    keys = jwk.KeySet.import_key_set(msgspec.json.decode(msgspec.json.encode(exported)))
    whole = f"{protected}.{b64u(message.payload)}.{signature}"
    registered = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)  # `domain` is ours
    assert jws.deserialize_compact(whole, keys, registry=registered).payload == message.payload
