"""Hostile registries, beacons and statements of kinds that no other table has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
import pytest

from bus.errors import TrustError
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust.registry import VerifiedRegistry
from schemas.codec import encode
from schemas.envelope import (
    TYP_REGISTRY,
    TYP_REVOKE,
    Entry,
    Header,
    protected_for,
    read_signed,
    signing_input,
    write_signed,
)
from schemas.registry import Registry, Role
from tests.support.world import DOMAIN, NOW, key_record, signed_registry, within
from tests.unit.bus.trust.test_refusals import (
    A43,
    BEACON_ROLE,
    DAY,
    FIRST,
    HELD,
    MINE,
    REVOKED_ROOTS,
    ROOT,
    STRANGER,
    THEIRS,
    TICK,
    WORLD,
    after,
    authority,
    beacon,
    keyed,
    revocation,
    revoke,
    update,
)

ONE, TWO, THREE = WORLD.roots


def under_kid(signer: FileSigner, payload: bytes, kid: str, typ: str = TYP_REGISTRY) -> Entry:
    """A good signature under a key id that is not the signer's."""
    protected = protected_for(signer.alg, kid, within(typ))
    return Entry(
        protected=protected,
        signature=signer.sign(signing_input(protected, payload)),
        header=Header(alg=signer.alg, kid=kid, typ=typ, domain=DOMAIN),
    )


def opened(document: Registry, *entries: Entry) -> VerifiedRegistry:
    """A first version with exactly these signatures."""
    return VerifiedRegistry.open(write_signed(encode(document), entries))


def rooted(**changes: object) -> Registry:
    """The held document with another root role."""
    return msgspec.structs.replace(HELD.document, root=msgspec.structs.replace(ROOT, **changes))


def signed_by(document: Registry, *signers: FileSigner) -> tuple[Entry, ...]:
    """The signatures of a registry."""
    payload = encode(document)
    return tuple(sign_entry(each, payload, within(TYP_REGISTRY)) for each in signers)


MISLABELLED = rooted(keys={ONE.kid: key_record(ONE), A43: key_record(TWO)})
NO_KEY = rooted(keys={ONE.kid: key_record(ONE), TWO.kid: key_record(TWO, jwk={"kty": "OKP"})})
OTHER_ALGORITHM = rooted(keys={ONE.kid: key_record(ONE), TWO.kid: key_record(TWO, alg="ES256")})
CROSSED = rooted(keys={ONE.kid: key_record(TWO), TWO.kid: key_record(ONE)})

TOO_FEW: dict[str, tuple[Registry, tuple[Entry, ...]]] = {
    "a root listed under another id, signing under that id": (
        MISLABELLED,
        (*signed_by(MISLABELLED, ONE), under_kid(TWO, encode(MISLABELLED), A43)),
    ),
    "a root whose record is no key": (NO_KEY, signed_by(NO_KEY, ONE, TWO)),
    "a root whose record is of another algorithm": (OTHER_ALGORITHM, signed_by(OTHER_ALGORITHM, ONE, TWO)),
    "two roots listed under each other's id": (
        CROSSED,
        (under_kid(TWO, encode(CROSSED), ONE.kid), under_kid(ONE, encode(CROSSED), TWO.kid)),
    ),
    "a root signing for another": (
        HELD.document,
        (*signed_by(HELD.document, ONE), under_kid(ONE, encode(HELD.document), TWO.kid)),
    ),
    "authorities, however many": (
        HELD.document,
        signed_by(HELD.document, *WORLD.signers.values()),
    ),
    "a root and the beacon's key": (HELD.document, signed_by(HELD.document, ONE, WORLD.beacon)),
    "two roots over another document": (
        HELD.document,
        signed_by(after(), ONE, TWO),
    ),
}


@pytest.mark.parametrize(("document", "entries"), TOO_FEW.values(), ids=TOO_FEW)
def test_only_distinct_roots_under_their_own_ids_count(
    document: Registry, entries: tuple[Entry, ...]
) -> None:
    """A threshold is not reached by one key in two guises, nor by a record that is no key."""
    with pytest.raises(TrustError) as refused:
        opened(document, *entries)
    assert refused.value.reason == "threshold"


def _roots_revoked(*revoked: FileSigner) -> VerifiedRegistry:
    keys = {
        each.kid: key_record(each, revoked_since=NOW if each in revoked else None) for each in WORLD.roots
    }
    return update(after(root=msgspec.structs.replace(ROOT, keys=keys)))


def _role(*signers: FileSigner, threshold: int = 1) -> Role:
    return Role(threshold=threshold, keys={each.kid: key_record(each) for each in signers})


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a revoked root beside a good one": (
        lambda: (held := _roots_revoked(THREE)).update(signed_registry(after(held), (ONE, THREE)), NOW),
        "threshold",
    ),
    "an authority's key as the beacon's": (lambda: update(after(beacon=_role(MINE))), "shared-key"),
    "an authority's key as a root": (
        lambda: update(after(root=_role(ONE, TWO, MINE, threshold=2))),
        "shared-key",
    ),
    "a root of small order": (
        lambda: update(
            after(
                root=msgspec.structs.replace(
                    ROOT,
                    keys={
                        **ROOT.keys,
                        STRANGER.kid: key_record(STRANGER, jwk={**STRANGER.jwk, "x": "A" * 43}),
                    },
                )
            )
        ),
        "weak-key",
    ),
    "one key of an authority that is another's revoked one": (
        lambda: update(authority(keys={THEIRS.kid: key_record(THEIRS, revoked_since=NOW)})),
        "shared-key",
    ),
    "a revoked key under another authority": (
        lambda: (held := keyed((MINE, {"revoked_since": NOW}), (STRANGER, {}))).update(
            signed_registry(
                msgspec.structs.replace(
                    after(held),
                    authorities={
                        **after(held).authorities,
                        "xa-csirt": msgspec.structs.replace(after(held).authorities["xa-csirt"], keys={}),
                        "xb-csirt": msgspec.structs.replace(
                            after(held).authorities["xb-csirt"], keys={MINE.kid: key_record(MINE)}
                        ),
                    },
                ),
                WORLD.roots,
            ),
            NOW,
        ),
        "key-revoked",
    ),
    "the next version signed before the held root, by the new one alone": (
        lambda: HELD.update(signed_registry(after(root=_role(STRANGER)), (STRANGER,)), NOW),
        "threshold",
    ),
    "a version far ahead, by strangers": (
        lambda: HELD.update(signed_registry(after(version=99), (STRANGER,)), NOW),
        "threshold",
    ),
    "a beacon by a root and an authority": (
        lambda: HELD.with_beacon(beacon(ONE, MINE), NOW),
        "threshold",
    ),
    "a beacon that ended before it was issued": (
        lambda: FIRST.with_beacon(beacon(issued=NOW, expires=NOW - TICK), NOW),
        "expired",
    ),
    "a beacon of version one after one of version two": (
        lambda: FIRST.with_beacon(beacon(version=2, digest="B" * 43), NOW).with_beacon(
            beacon(issued=NOW + TICK), NOW
        ),
        "rollback",
    ),
    "a statement by the beacon's key": (lambda: revoke(WORLD.beacon), "unknown-key"),
    "a statement about the beacon's key": (lambda: revoke(kids=(WORLD.beacon.kid,)), "unknown-key"),
    "a statement by every authority but the one it names": (
        lambda: revoke(*(signer for name, signer in WORLD.signers.items() if name != "xa-csirt")),
        "not-your-key",
    ),
    "a statement by two authorities about both": (
        lambda: revoke(MINE, THEIRS, kids=(MINE.kid, THEIRS.kid)),
        "not-your-key",
    ),
    "a statement at the end of time": (
        lambda: revoke(issued=dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        "from-the-future",
    ),
    "a statement by a revoked key of its own and a good one of another": (
        lambda: revoke(
            MINE, THEIRS, kids=(STRANGER.kid,), held=keyed((MINE, {"revoked_since": NOW}), (STRANGER, {}))
        ),
        "key-revoked",
    ),
    "a statement whose good signature is under another key's id": (
        lambda: HELD.with_revocation(
            write_signed(
                payload := read_signed(revocation(), within(TYP_REVOKE)).payload,
                (under_kid(STRANGER, payload, MINE.kid, TYP_REVOKE),),
            ),
            NOW,
        ),
        "bad-signature",
    ),
}


@pytest.mark.parametrize(("attack", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_document_changes_nothing(attack: Callable[[], object], reason: str) -> None:
    """Each is refused for its own reason."""
    with pytest.raises(TrustError) as refused:
        attack()
    assert refused.value.reason == reason


def test_revoked_roots_leave_the_threshold_to_the_others() -> None:
    """With one root left of a role of one, that one signs on and the revoked ones do not."""
    held = update(after(root=REVOKED_ROOTS))
    following = after(held)
    with pytest.raises(TrustError, match="0 good signatures of the current root; 1 are needed"):
        held.update(signed_registry(following, (TWO, THREE)), NOW)
    assert held.update(signed_registry(following, (ONE,)), NOW).version == 3


def test_a_statement_ends_a_key_that_is_named_twice_once() -> None:
    """Repetition within a statement means nothing more."""
    once = HELD.with_revocation(revocation(), NOW)
    twice = HELD.with_revocation(revocation(kids=(MINE.kid, MINE.kid)), NOW)
    assert once.revoked() == twice.revoked() == {MINE.kid: NOW}


def test_a_statement_and_a_beacon_leave_the_registry_they_came_to_alone() -> None:
    """Each makes another registry; the one held answers as before."""
    ended = HELD.with_revocation(revocation(since=NOW - DAY), NOW)
    assert ended is not HELD
    assert HELD.revoked() == {}
    assert HELD.revocations == ()
    seen = FIRST.with_beacon(beacon(), NOW)
    assert seen is not FIRST
    assert FIRST.beacon is None
    assert BEACON_ROLE.threshold == 1
