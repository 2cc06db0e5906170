"""Revocation statements: one signature ends an authority's own keys, and no thief can use that to speak on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.admission.steps import admit
from bus.errors import AdmissionError, PermitError, TrustError
from bus.keys.signatures import FileSigner, sign_entry
from bus.sealing.recipients import recipients
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import Ending, new_statement
from bus.trust.rotation import revoke_keys
from schemas.codec import encode
from schemas.envelope import TYP_BULLETIN, TYP_REVOKE, read_signed, write_signed
from schemas.registry import (
    REVOKE_SPEC,
    STATEMENT_AGE_DAYS,
    AuthorityRecord,
    Registry,
    Revocation,
)
from schemas.subject import channel_of
from tests.support.sealed import ISSUER, READERS, inner_bulletin, opening_key, seal_record, sealed_world
from tests.support.world import NOW, bulletin, key_record, shared_world, sign, signed_registry, within

DAY = dt.timedelta(days=1)
WORLD = shared_world()
ONE, TWO, THREE = (FileSigner.generate() for _ in range(3))
OLD = FileSigner.generate()
STRANGER = FileSigner.generate()
OTHER = WORLD.signers["xb-csirt"]


def next_of(registry: VerifiedRegistry) -> Registry:
    """The version after one, unchanged."""
    return ceremony.next_version(registry.document, registry.digest, NOW, 90 * DAY)


def with_keys(document: Registry, authority: str, keys: dict[str, Any]) -> Registry:
    """The document with an authority's keys replaced."""
    record: AuthorityRecord = document.authorities[authority]
    return proposals.add_authority(document, authority, msgspec.structs.replace(record, keys=keys))


def _registry() -> VerifiedRegistry:
    keys = {each.kid: key_record(each) for each in (ONE, TWO, THREE)}
    keys[OLD.kid] = key_record(OLD, not_after=NOW - DAY)
    document = with_keys(next_of(WORLD.registry), "xa-csirt", keys)
    return WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)


REGISTRY = _registry()


def statement(*kids: str, by: FileSigner, **changes: Any) -> bytes:
    """A statement of xa-csirt, with fields replaced."""
    fields: dict[str, Any] = {
        "domain": "test",
        "authority": "xa-csirt",
        "kids": kids,
        "since": NOW - DAY,
        "reason": "key-compromise",
        "now": NOW,
    }
    return new_statement(**{**fields, **changes}, signer=by)


def verdict(registry: VerifiedRegistry, by: FileSigner) -> str:
    """The verdict of admission on a bulletin of xa-csirt by a key."""
    message = sign(WORLD, bulletin(WORLD), by)
    try:
        admit(message.subject, message.headers, message.payload, registry=registry, now=NOW)
    except AdmissionError as exc:
        return exc.reason
    return "admitted"


@pytest.mark.parametrize("by", [ONE, TWO], ids=["by the stolen key itself", "by another of its keys"])
def test_one_signature_ends_a_key(by: FileSigner) -> None:
    """At once, for admission; the authority's other keys speak on."""
    found = REGISTRY.with_revocation(statement(ONE.kid, by=by), NOW)
    assert (verdict(found, ONE), verdict(found, TWO)) == ("key-revoked", "admitted")
    assert found.revoked() == {ONE.kid: NOW - DAY}
    key = found.key(ONE.kid)
    assert key is not None
    assert key.record.revoked_for == "key-compromise"
    assert verdict(REGISTRY, ONE) == "admitted"


def test_a_word_for_the_reason_that_nobody_knows_denies_all_the_same() -> None:
    """A denial is not lost to a vocabulary."""
    found = REGISTRY.with_revocation(statement(ONE.kid, by=TWO, reason="swallowed-by-a-whale"), NOW)
    assert ONE.kid in found.revoked()


def _raw(payload: bytes, *signers: FileSigner, typ: str = TYP_REVOKE) -> bytes:
    return write_signed(payload, tuple(sign_entry(each, payload, within(typ)) for each in signers))


def _payload(**changes: Any) -> bytes:
    made = Revocation(
        spec=REVOKE_SPEC,
        domain="test",
        authority="xa-csirt",
        kids=(ONE.kid,),
        since=NOW,
        reason="key-lost",
        issued=NOW,
    )
    return encode(msgspec.structs.replace(made, **changes))


def _flipped() -> bytes:
    file = msgspec.json.decode(statement(ONE.kid, by=TWO))
    file["payload"] = msgspec.json.decode(statement(THREE.kid, by=TWO))["payload"]
    return msgspec.json.encode(file)


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "no file": (lambda: b"no", "malformed-revoke"),
    "unsigned": (lambda: write_signed(_payload(), ()), "malformed-revoke"),
    "signed as a bulletin": (lambda: _raw(_payload(), TWO, typ=TYP_BULLETIN), "malformed-revoke"),
    "signed twice by one key": (lambda: _raw(_payload(), TWO, TWO), "malformed-revoke"),
    "a registry": (lambda: WORLD.raw, "malformed-revoke"),
    "too large": (lambda: _raw(_payload(reason="a" * 9000), TWO), "malformed-revoke"),
    "of no key": (lambda: _raw(_payload(kids=()), TWO), "malformed-revoke"),
    "of forty keys": (lambda: _raw(_payload(kids=(ONE.kid,) * 40), TWO), "malformed-revoke"),
    "no JSON": (lambda: _raw(b"{", TWO), "malformed-revoke"),
    "a member too many": (lambda: _raw(_payload()[:-1] + b',"undo":true}', TWO), "malformed-revoke"),
    "a member twice": (lambda: _raw(_payload()[:-1] + b',"domain":"test"}', TWO), "malformed-revoke"),
    "by a stranger": (lambda: statement(ONE.kid, by=STRANGER), "unknown-key"),
    "by a root": (lambda: statement(ONE.kid, by=WORLD.roots[0]), "unknown-key"),
    "altered": (_flipped, "bad-signature"),
    "by another authority": (lambda: statement(ONE.kid, by=OTHER), "not-your-key"),
    "of another authority's key": (lambda: statement(OTHER.kid, by=TWO), "not-your-key"),
    "of another's key beside its own": (lambda: statement(TWO.kid, OTHER.kid, by=TWO), "not-your-key"),
    "in another's name": (lambda: statement(OTHER.kid, by=TWO, authority="xb-csirt"), "not-your-key"),
    "in nobody's name": (lambda: statement(ONE.kid, by=TWO, authority="xa-nobody"), "not-your-key"),
    "of a key nobody has": (lambda: statement("A" * 43, by=TWO), "unknown-key"),
    "of a root": (lambda: statement(WORLD.roots[0].kid, by=TWO), "unknown-key"),
    "for another federation": (lambda: statement(ONE.kid, by=TWO, domain="elsewhere"), "domain"),
    "from the future": (
        lambda: statement(ONE.kid, by=TWO, now=NOW + DAY, since=NOW),
        "from-the-future",
    ),
    "since tomorrow": (lambda: statement(ONE.kid, by=TWO, since=NOW + DAY), "from-the-future"),
    "by a key past its window": (lambda: statement(ONE.kid, by=OLD), "key-not-valid"),
    "by a key past its window, back-dated": (
        lambda: statement(ONE.kid, by=OLD, now=NOW - 2 * DAY, since=NOW - 2 * DAY),
        "key-not-valid",
    ),
    "dated before its key began": (
        lambda: statement(ONE.kid, by=TWO, now=NOW - 90 * DAY, since=NOW - 90 * DAY),
        "key-not-valid",
    ),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_statement_that_breaks_a_rule_ends_nothing(make: Callable[[], bytes], reason: str) -> None:
    """Each rule once."""
    with pytest.raises(TrustError) as refused:
        REGISTRY.with_revocation(make(), NOW)
    assert refused.value.reason == reason


def test_a_thief_whose_key_is_ended_ends_nobody_else() -> None:
    """Not even with a date before the end of his key."""
    found = REGISTRY.with_revocation(statement(ONE.kid, by=TWO), NOW)
    for now in (NOW, NOW - 5 * DAY):
        revenge = statement(TWO.kid, THREE.kid, by=ONE, now=now, since=now)
        with pytest.raises(TrustError) as refused:
            found.with_revocation(revenge, NOW)
        assert refused.value.reason == "key-revoked"


def test_a_thief_who_strikes_first_is_still_ended_by_the_key_he_stole() -> None:
    """He ends the owner's other keys; the owner, who has the stolen one as well, ends that."""
    struck = REGISTRY.with_revocation(statement(TWO.kid, THREE.kid, by=ONE), NOW)
    with pytest.raises(TrustError, match="itself revoked"):
        struck.with_revocation(statement(ONE.kid, by=TWO), NOW)
    ended = struck.with_revocation(statement(ONE.kid, by=ONE), NOW)
    assert ended.revoked().keys() == {ONE.kid, TWO.kid, THREE.kid}


def test_no_statement_moves_the_moment_later_or_takes_it_back() -> None:
    """Of two the earlier one counts, in any order of arrival; the same one again changes nothing."""
    early, late = statement(ONE.kid, by=TWO, since=NOW - 9 * DAY), statement(ONE.kid, by=TWO)
    found = REGISTRY.with_revocation(early, NOW)
    assert found.with_revocation(early, NOW) is found
    assert found.with_revocation(late, NOW) is found
    assert REGISTRY.with_revocation(late, NOW).with_revocation(early, NOW).revoked() == found.revoked()


def test_the_next_versions_keep_what_a_statement_ended() -> None:
    """Left out, dropped and listed again, or listed for another authority: it stays ended."""
    found = REGISTRY.with_revocation(statement(ONE.kid, by=TWO), NOW)
    silent = found.update(signed_registry(next_of(found), WORLD.roots), NOW)
    assert silent.revoked() == {ONE.kid: NOW - DAY}
    dropped = silent.update(
        signed_registry(with_keys(next_of(silent), "xa-csirt", {TWO.kid: key_record(TWO)}), WORLD.roots), NOW
    )
    assert dropped.revoked() == {}
    moved = with_keys(next_of(dropped), "xb-csirt", {ONE.kid: key_record(ONE)})
    assert ONE.kid in dropped.update(signed_registry(moved, WORLD.roots), NOW).revoked()


def test_a_next_version_can_remember_what_statements_have_ended() -> None:
    """Keys that are listed, seal keys too, and one that was dropped; who begins with that version knows of all."""
    seal = opening_key("remembered").public
    sealed = proposals.add_seal_key(next_of(REGISTRY), "xa-csirt", seal_record(seal, NOW))
    held = REGISTRY.update(signed_registry(sealed, WORLD.roots), NOW)
    for kid in (ONE.kid, THREE.kid, seal.kid):
        held = held.with_revocation(statement(kid, by=TWO), NOW)
    kept = {kid: key_record(key) for kid, key in ((TWO.kid, TWO), (THREE.kid, THREE))}
    document = ceremony.remembering(with_keys(next_of(held), "xa-csirt", kept), held.revocations)
    raw = signed_registry(document, WORLD.roots)
    assert document.revoked[ONE.kid] == NOW - DAY
    for registry in (VerifiedRegistry.open(raw), held.update(raw, NOW)):
        assert registry.revoked() == {THREE.kid: NOW - DAY}
        assert registry.ended(NOW)[ONE.kid] == Ending(since=NOW - DAY)
        assert registry.seal_keys("xa-csirt")[seal.kid].revoked_since == NOW - DAY
    assert held.update(raw, NOW).revocations == ()


def test_a_replaced_record_has_its_seal_keys_remembered_since_they_ended() -> None:
    """One with its revocation, one with the end of its window; one that the new record lists is not among them."""
    ended, plain, kept = (opening_key(name).public for name in ("ended", "plain", "kept"))
    records = {
        ended.kid: seal_record(ended, NOW, revoked_since=NOW - DAY),
        plain.kid: seal_record(plain, NOW),
        kept.kid: seal_record(kept, NOW),
    }
    document = next_of(REGISTRY)
    had = msgspec.structs.replace(document.authorities["xa-csirt"], seal_keys=records)
    document = proposals.add_authority(document, "xa-csirt", had)
    after = msgspec.structs.replace(had, seal_keys={kept.kid: records[kept.kid]})
    found = proposals.add_authority(document, "xa-csirt", after).revoked
    assert found == {ended.kid: NOW - DAY, plain.kid: records[plain.kid].not_after}


def test_what_the_registry_says_of_a_key_itself_is_not_said_otherwise_by_a_statement() -> None:
    """A moment that the registrar has chosen stays."""
    held = REGISTRY.with_revocation(statement(ONE.kid, by=TWO), NOW)
    document = revoke_keys(
        next_of(held), "xa-csirt", [ONE.kid], since=NOW - 9 * DAY, reason="key-lost", now=NOW
    )
    assert ceremony.remembering(document, held.revocations) == document


def test_the_registry_has_the_last_word_on_the_moment() -> None:
    """The registry (m of n) replaces the moment of a statement by one key, later or earlier: it corrects a thief's back-dating."""
    for since in (NOW - 9 * DAY, NOW - DAY / 2):
        found = REGISTRY.with_revocation(statement(ONE.kid, by=TWO), NOW)
        document = revoke_keys(next_of(found), "xa-csirt", [ONE.kid], since=since, reason="key-lost", now=NOW)
        assert found.update(signed_registry(document, WORLD.roots), NOW).revoked() == {ONE.kid: since}


def test_after_a_restart_what_was_ended_stays_ended() -> None:
    """Even when the key that signed has since been revoked, run out, or left the registry."""
    taken = statement(ONE.kid, by=TWO)
    later = NOW + 500 * DAY
    for keys in (
        {ONE.kid: key_record(ONE), TWO.kid: key_record(TWO, revoked_since=NOW - 5 * DAY)},
        {ONE.kid: key_record(ONE)},
    ):
        raw = signed_registry(with_keys(next_of(REGISTRY), "xa-csirt", keys), WORLD.roots)
        opened = VerifiedRegistry.open(raw)
        with pytest.raises(TrustError):
            opened.with_revocation(taken, later)
        assert ONE.kid in opened.with_revocation(taken, later, taken_before=True).revoked()
    with pytest.raises(TrustError, match="elsewhere"):
        REGISTRY.with_revocation(statement(ONE.kid, by=TWO, domain="elsewhere"), NOW, taken_before=True)
    with pytest.raises(TrustError, match="no key of the registry signed"):
        REGISTRY.with_revocation(_flipped(), NOW, taken_before=True)


MOVES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=6,
)


@given(MOVES)
def test_whatever_is_said_the_ended_keys_only_grow(moves: list[tuple[int, list[int], int, bool]]) -> None:
    """No order of statements and versions revives a key, moves its end later, or touches another authority."""
    keys, registry = (ONE, TWO, THREE), REGISTRY
    for who, whom, days, version in moves:
        before = registry.revoked()
        raw = statement(
            *(keys[n].kid for n in whom), by=keys[who], since=NOW - days * DAY, now=NOW - days * DAY
        )
        try:
            registry = registry.with_revocation(raw, NOW)
        except TrustError as exc:
            assert exc.reason in ("key-revoked", "too-old")
            assert (exc.reason == "key-revoked") == (keys[who].kid in before)
            assert (exc.reason == "too-old") <= (days > STATEMENT_AGE_DAYS)
        else:
            assert keys[who].kid not in before
            assert {keys[n].kid for n in whom} <= registry.revoked().keys()
        if version:
            registry = registry.update(signed_registry(next_of(registry), WORLD.roots), NOW)
        after = registry.revoked()
        assert all(after[kid] <= since for kid, since in before.items())
        assert after.keys() <= {each.kid for each in keys}


def _sealing(kid: str, by: str, **changes: Any) -> bytes:
    """A statement of an authority of the sealed world about a seal key."""
    return statement(kid, by=sealed_world().signers[by], **{"authority": by, "since": NOW, **changes})


def test_an_authority_ends_its_own_seal_key() -> None:
    """At once nobody seals to it; another key of its own is found instead, and the next versions keep it so."""
    world = sealed_world()
    first, reader = opening_key(READERS[0]).public, READERS[0]
    held = world.registry.with_revocation(_sealing(first.kid, reader), NOW)
    made = channel_of(inner_bulletin(world))
    assert [each.authority_id for each in recipients(made, world.registry, NOW)] == [ISSUER, *READERS]
    with pytest.raises(PermitError) as refused:
        recipients(made, held, NOW)
    assert (refused.value.reason, reader in str(refused.value)) == ("no-seal-key", True)
    assert held.with_revocation(_sealing(first.kid, reader), NOW) is held
    assert held.revoked() == {}
    document = next_of(held)
    silent = held.update(signed_registry(document, world.roots), NOW)
    assert silent.seal_keys(reader)[first.kid].revoked_since == NOW
    second = seal_record(opening_key("second").public)
    document = proposals.add_seal_key(next_of(silent), reader, second)
    renewed = silent.update(signed_registry(document, world.roots), NOW)
    assert {each.key.kid for each in recipients(made, renewed, NOW)} >= {opening_key("second").kid}


def test_nobody_ends_another_s_seal_key() -> None:
    """Nor does a key that only opens sign anything."""
    world = sealed_world()
    for kid, authority, reason in (
        (opening_key(READERS[0]).kid, READERS[1], "not-your-key"),
        (opening_key("nobody's").kid, READERS[1], "unknown-key"),
    ):
        with pytest.raises(TrustError) as refused:
            world.registry.with_revocation(_sealing(kid, authority), NOW)
        assert refused.value.reason == reason


# -- how far and how much ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("since", "effect"), [(0, 0), (3, 3), (7, 7), (8, 7), (3000, 7)])
def test_a_statement_reaches_seven_days_back(since: int, effect: int) -> None:
    """The reach is bounded for any `since`, also for a seal key."""
    registry = REGISTRY.with_revocation(statement(TWO.kid, by=ONE, since=NOW - since * DAY), NOW)
    assert registry.revoked() == {TWO.kid: NOW - effect * DAY}
    assert registry.ended(NOW)[TWO.kid] == Ending(since=NOW - effect * DAY, by_statement=True)


SAID = [
    statement(
        *kids, by=ONE, since=NOW - dt.timedelta(seconds=n), now=NOW - dt.timedelta(seconds=m), reason=reason
    )
    for kids in ((TWO.kid,), (TWO.kid, THREE.kid))
    for n, m, reason in ((1, 0, "key-lost"), (1, 1, "key-lost"), (1, 0, "superseded"), (9, 0, "key-lost"))
]


@given(st.permutations(SAID), st.integers(0, len(SAID)))
def test_of_statements_about_a_key_one_is_kept_in_whatever_order_they_come(
    order: list[bytes], again: int
) -> None:
    """All readers come to the same, those too that read some of them again; what reaches less never keeps out more."""
    registry = REGISTRY
    for n, raw in enumerate(order):
        registry = registry.with_revocation(raw, NOW, taken_before=n < again)
        assert len(registry.revocations) <= 2
        assert registry.with_revocation(raw, NOW, taken_before=True) is registry
    assert registry.revoked() == dict.fromkeys((TWO.kid, THREE.kid), NOW - dt.timedelta(seconds=9))
    straight = REGISTRY
    for raw in SAID:
        straight = straight.with_revocation(raw, NOW)
    assert set(registry.revocations) == set(straight.revocations)
    assert registry.ended(NOW) == straight.ended(NOW)


def test_many_small_steps_keep_no_large_one_out() -> None:
    """A thief who ends a key one second earlier, again and again, takes the owner's statement no room."""
    registry = REGISTRY
    for n in range(12):
        registry = registry.with_revocation(statement(TWO.kid, by=ONE, since=NOW - n * DAY / 86_400), NOW)
    registry = registry.with_revocation(statement(TWO.kid, by=THREE, since=NOW - 3 * DAY), NOW)
    assert registry.revoked() == {TWO.kid: NOW - 3 * DAY}
    assert len(registry.revocations) == 1


def test_a_key_that_leaves_the_registry_stays_ended() -> None:
    """The statement about it holds on, where the key is listed no more and where it is listed once more."""
    ended = REGISTRY.with_revocation(statement(TWO.kid, by=ONE), NOW)
    kept = {each.kid: key_record(each) for each in (ONE, THREE)}
    left = ended.update(signed_registry(with_keys(next_of(ended), "xa-csirt", kept), WORLD.roots), NOW)
    assert left.ended(NOW)[TWO.kid] == ended.ended(NOW)[TWO.kid]
    keys = {**kept, TWO.kid: key_record(TWO)}
    back = left.update(signed_registry(with_keys(next_of(left), "xa-csirt", keys), WORLD.roots), NOW)
    assert verdict(back, TWO) == "key-revoked"


@pytest.mark.parametrize("holds", [False, True])
def test_what_strangers_add_to_a_statement_is_not_kept(holds: bool) -> None:
    """Read again, the statement is in force despite added signatures, and even if an authority has left the registry since."""
    honest = statement(ONE.kid, by=TWO)
    file = read_signed(honest, within(TYP_REVOKE))
    added = sign_entry(OTHER, file.payload if holds else b"something else", within(TYP_REVOKE))
    raw = write_signed(file.payload, (added, *file.entries))
    assert REGISTRY.statement_to_keep(raw) == honest
    assert REGISTRY.with_revocation(raw, NOW).revoked().keys() == {ONE.kid}
    without = with_keys(next_of(REGISTRY), "xa-csirt", {THREE.kid: key_record(THREE)})
    left = REGISTRY.update(signed_registry(without, WORLD.roots), NOW)
    assert ONE.kid in left.with_revocation(raw, NOW, taken_before=True).ended(NOW)
    assert left.statement_to_keep(honest) == honest


def test_a_key_that_the_registry_has_ended_needs_no_statement() -> None:
    """A statement about it changes nothing, from any key of its authority, and earlier ones are dropped."""
    said = statement(TWO.kid, by=ONE, since=NOW - DAY)
    registry = REGISTRY.with_revocation(said, NOW)
    document = revoke_keys(next_of(registry), "xa-csirt", [TWO.kid], since=NOW, reason="superseded", now=NOW)
    registry = registry.update(signed_registry(document, WORLD.roots), NOW)
    assert registry.revocations == ()
    for raw in (said, statement(TWO.kid, by=TWO, since=NOW - DAY)):
        assert registry.with_revocation(raw, NOW) is registry
    assert registry.revoked() == {TWO.kid: NOW}
