"""Each refusal of a registry, a beacon and a statement with its reason and its sentence, and the bounds beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from bus.errors import PermitError, TrustError
from bus.keys import nkeys
from bus.keys.signatures import FileSigner, sign_entry, thumbprint
from bus.trust import ceremony, proposals
from bus.trust.registry import TrustState, VerifiedRegistry
from bus.trust.revocations import new_statement, speaker_of
from schemas.codec import MAX_PAYLOAD_BYTES, digest, encode
from schemas.envelope import (
    TYP_BEACON,
    TYP_REGISTRY,
    TYP_REVOKE,
    b64u,
    protected_for,
    read_signed,
    write_signed,
)
from schemas.errors import EnvelopeError, SchemaError
from schemas.parts import Area
from schemas.registry import (
    BEACON_SPEC,
    MAX_REVOKE_BYTES,
    REVOKE_SPEC,
    Audience,
    Beacon,
    PublishGrant,
    ReadGrant,
    Registry,
    Revocation,
    Role,
    SealKeyRecord,
)
from schemas.subject import channel_of
from schemas.vocab import Scope, Status, Tlp
from tests.support.sealed import opening_key, seal_record
from tests.support.world import DOMAIN, NOW, bulletin, key_record, shared_world, signed_registry, within

WORLD = shared_world()
HELD = WORLD.registry
FIRST = VerifiedRegistry.open(WORLD.raw)
A_ROOT = WORLD.roots[0]
MINE, THEIRS = WORLD.signers["xa-csirt"], WORLD.signers["xb-csirt"]
STRANGER = FileSigner.generate()
DAY, TICK, SLACK = dt.timedelta(days=1), dt.timedelta(microseconds=1), dt.timedelta(minutes=5)
Refuse = Callable[[], object]


def after(held: VerifiedRegistry = HELD, **changes: Any) -> Registry:
    """The next version, with fields replaced."""
    made = ceremony.next_version(held.document, held.digest, NOW, 90 * DAY)
    return msgspec.structs.replace(made, **changes)


def authority(name: str = "xa-csirt", **changes: Any) -> Registry:
    """The next version with one authority's record changed."""
    record = msgspec.structs.replace(HELD.document.authorities[name], **changes)
    return proposals.add_authority(after(), name, record)


def update(document: Registry, *roots: FileSigner, now: dt.datetime = NOW) -> VerifiedRegistry:
    """The held registry after a version signed by these roots, or by all."""
    return HELD.update(signed_registry(document, roots or WORLD.roots), now)


def beacon(*signers: FileSigner, typ: str = TYP_BEACON, signed_in: str = DOMAIN, **changes: Any) -> bytes:
    """A beacon for the held registry, with fields replaced."""
    made = Beacon(
        spec=BEACON_SPEC,
        domain="test",
        version=1,
        digest=HELD.digest,
        issued=NOW,
        expires=NOW + DAY,
    )
    payload = encode(msgspec.structs.replace(made, **changes))
    return write_signed(
        payload,
        tuple(sign_entry(each, payload, within(typ, signed_in)) for each in signers or (WORLD.beacon,)),
    )


def signed_in(payload: bytes, typ: str, *signers: FileSigner, domain: str = DOMAIN) -> bytes:
    """A file signed for a purpose in a federation."""
    context = within(typ, domain)
    return write_signed(payload, tuple(sign_entry(each, payload, context) for each in signers))


def revocation(*signers: FileSigner, **changes: Any) -> bytes:
    """A statement of xa-csirt about its one key, with fields replaced."""
    made = Revocation(
        spec=REVOKE_SPEC,
        domain="test",
        authority="xa-csirt",
        kids=(MINE.kid,),
        since=NOW,
        reason="key-lost",
        issued=NOW,
    )
    payload = encode(msgspec.structs.replace(made, **changes))
    return write_signed(
        payload, tuple(sign_entry(each, payload, within(TYP_REVOKE)) for each in signers or (MINE,))
    )


def revoke(
    *signers: FileSigner, held: VerifiedRegistry = HELD, now: dt.datetime = NOW, **changes: Any
) -> object:
    """The registry after such a statement."""
    return held.with_revocation(revocation(*signers, **changes), now)


def keyed(*keys: tuple[FileSigner, dict[str, Any]]) -> VerifiedRegistry:
    """The next version in which xa-csirt has these keys."""
    return update(authority(keys={signer.kid: key_record(signer, **changes) for signer, changes in keys}))


def as_algorithm(raw: bytes, alg: str, signer: FileSigner, typ: str) -> bytes:
    """A signed file whose one header names another algorithm."""
    file = msgspec.json.decode(raw)
    file["signatures"][0]["protected"] = protected_for(alg, signer.kid, within(typ))
    return msgspec.json.encode(file)


def transport_of(signer: FileSigner) -> Registry:
    """The next version in which a bulletin key is another authority's transport key too."""
    _, public = nkeys.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u(nkeys.raw_public(public))}
    record = msgspec.structs.replace(key_record(signer), jwk=jwk)
    return proposals.add_authority(
        authority(keys={thumbprint(jwk): record}),
        "xb-csirt",
        msgspec.structs.replace(HELD.document.authorities["xb-csirt"], nkeys=(public,)),
    )


def reading(status: Status, tlp: Tlp, audience: str) -> Registry:
    """The next version in which xa-csirt may read one way."""
    return authority(read=(ReadGrant(statuses=(status,), tlps=(tlp,), audiences=(audience,)),))


SEAL, OTHER_SEAL = opening_key("refusals").public, opening_key("other refusals").public
WITH_SEAL = update(authority(seal_keys={SEAL.kid: seal_record(SEAL)}))
SEAL_REVOKED = update(authority(seal_keys={SEAL.kid: seal_record(SEAL, revoked_since=NOW - DAY)}))


def sealing(
    keys: dict[str, SealKeyRecord],
    held: VerifiedRegistry = WITH_SEAL,
    theirs: dict[str, SealKeyRecord] | None = None,
) -> VerifiedRegistry:
    """The version after one with a seal key, with these keys."""
    document = after(held)
    for name, records in (("xa-csirt", keys), ("xb-csirt", theirs or {})):
        record = msgspec.structs.replace(document.authorities[name], seal_keys=records)
        records_of = {**document.authorities, name: record}
        document = msgspec.structs.replace(document, authorities=records_of)
    return held.update(signed_registry(document, WORLD.roots), NOW)


def _gone() -> VerifiedRegistry:
    """A version in which a revoked key of xa-csirt is listed beside a good one."""
    return keyed((MINE, {"revoked_since": NOW - DAY}), (STRANGER, {}))


def _back() -> VerifiedRegistry:
    held = _gone()
    record = msgspec.structs.replace(held.document.authorities["xa-csirt"], keys={MINE.kid: key_record(MINE)})
    return held.update(
        signed_registry(proposals.add_authority(after(held), "xa-csirt", record), WORLD.roots), NOW
    )


def _forgets() -> Registry:
    held = _gone()
    record = msgspec.structs.replace(
        held.document.authorities["xa-csirt"], keys={STRANGER.kid: key_record(STRANGER)}
    )
    return msgspec.structs.replace(proposals.add_authority(after(held), "xa-csirt", record), revoked={})


def _beaconed(**changes: Any) -> VerifiedRegistry:
    """The first version with another window of its beacon key."""
    role = Role(threshold=1, keys={WORLD.beacon.kid: key_record(WORLD.beacon, **changes)})
    document = msgspec.structs.replace(FIRST.document, beacon=role)
    return VerifiedRegistry(document=document, digest=HELD.digest, raw=b"", beacon=None)


def _root(**changes: Any) -> Role:
    """The root, the windows of whose keys are changed."""
    role = HELD.document.root
    return msgspec.structs.replace(
        role, keys={kid: msgspec.structs.replace(each, **changes) for kid, each in role.keys.items()}
    )


def _malformed() -> VerifiedRegistry:
    payload = b"{}"
    return HELD.update(
        write_signed(payload, tuple(sign_entry(root, payload, within(TYP_REGISTRY)) for root in WORLD.roots)),
        NOW,
    )


def _malformed_beacon() -> VerifiedRegistry:
    payload = b"{}"
    return HELD.with_beacon(
        write_signed(payload, (sign_entry(WORLD.beacon, payload, within(TYP_BEACON)),)), NOW
    )


def _malformed_statement() -> VerifiedRegistry:
    payload = b"{}"
    return HELD.with_revocation(write_signed(payload, (sign_entry(MINE, payload, within(TYP_REVOKE)),)), NOW)


BEACON_AFTER = HELD.with_beacon(beacon(version=2, digest="B" * 43, issued=NOW), NOW)
ROOT, BEACON_ROLE = HELD.document.root, HELD.document.beacon
REVOKED_ROOTS = msgspec.structs.replace(
    ROOT,
    keys={root.kid: key_record(root, revoked_since=NOW if n else None) for n, root in enumerate(WORLD.roots)},
    threshold=1,
)
A43 = "A" * 43
A_KEY = key_record(STRANGER)


def national(*members: str, publish: Sequence[str] = (), read: Sequence[str] = ()) -> Registry:
    """The next version with an audience of national scope, and GREEN grants for it."""
    document = after(
        audiences={**HELD.document.audiences, "nation": Audience(scope=Scope.NATIONAL, members=members)}
    )
    for name in publish:
        says = PublishGrant(
            statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("nation",), kinds=("*",), areas=("*",)
        )
        document = proposals.grant(document, name, publish=(says,))
    for name in read:
        hears = ReadGrant(statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("nation",))
        document = proposals.grant(document, name, read=(hears,))
    return document


REFUSALS: dict[str, tuple[Refuse, str, str]] = {
    # -- a first version
    "another digest than pinned": (
        lambda: VerifiedRegistry.open(WORLD.raw, pin=A43),
        "pin",
        f"the registry's digest is {WORLD.pin}, but {A43} was pinned",
    ),
    "a first version of another domain": (
        lambda: VerifiedRegistry.open(WORLD.raw, domain="elsewhere"),
        "domain",
        "the registry is of test, not of elsewhere",
    ),
    "a first version under one root": (
        lambda: VerifiedRegistry.open(signed_registry(HELD.document, WORLD.roots[:1])),
        "threshold",
        "1 good signatures of its own root; 2 are needed",
    ),
    "no file": (
        lambda: VerifiedRegistry.open(b"{}"),
        "malformed-registry",
        "not a signed registry: not a signed file: Object missing required field `payload`",
    ),
    # -- the next version
    "under too few of the roots": (
        lambda: update(after(), WORLD.roots[0], STRANGER),
        "threshold",
        "1 good signatures of the current root; 2 are needed",
    ),
    "no document": (
        _malformed,
        "malformed-registry",
        "the registry is malformed: Object missing required field `spec`",
    ),
    "of another domain": (
        lambda: update(after(domain="elsewhere")),
        "domain",
        "not a signed registry: signed in domain 'elsewhere', not 'test'",
    ),
    "of another domain, signed in this one": (
        lambda: HELD.update(signed_in(encode(after(domain="elsewhere")), TYP_REGISTRY, *WORLD.roots), NOW),
        "domain",
        "the registry is of elsewhere, not of test",
    ),
    "a first version signed in another domain": (
        lambda: VerifiedRegistry.open(
            signed_in(encode(HELD.document), TYP_REGISTRY, *WORLD.roots, domain="elsewhere")
        ),
        "domain",
        "not a signed registry: signed in domain 'elsewhere', not 'test'",
    ),
    "a beacon signed in another domain": (
        lambda: HELD.with_beacon(beacon(signed_in="elsewhere"), NOW),
        "domain",
        "not a signed beacon: signed in domain 'elsewhere', not 'test'",
    ),
    "the same version again": (
        lambda: update(after(version=1)),
        "rollback",
        "version 1 is not after 1",
    ),
    "a version skipped": (
        lambda: update(after(version=3)),
        "skip",
        "version 3 does not directly follow 1; fetch each in turn",
    ),
    "another history": (
        lambda: update(after(prev=A43)),
        "fork",
        "the registry does not continue the one held",
    ),
    "under too few of its own roots": (
        lambda: update(after(root=msgspec.structs.replace(ROOT, threshold=3)), *WORLD.roots[:2]),
        "threshold",
        "2 good signatures of the new root; 3 are needed",
    ),
    "from the future": (
        lambda: update(after(issued=NOW + SLACK + TICK)),
        "from-the-future",
        "the registry is from the future; check the clock",
    ),
    "a revoked key that comes back": (
        _back,
        "key-revoked",
        f"key {MINE.kid} is revoked and cannot come back; make a new key",
    ),
    "a revoked key that is forgotten": (
        lambda: _gone().update(signed_registry(_forgets(), WORLD.roots), NOW),
        "key-revoked",
        f"key {MINE.kid} is revoked; the next version must not trust it and must keep it in `revoked`; make a new key",
    ),
    "a version that remembers a key and trusts it": (
        lambda: update(after(revoked={MINE.kid: NOW})),
        "key-revoked",
        f"key {MINE.kid} is revoked and cannot come back; make a new key",
    ),
    "a version issued before the one held": (
        lambda: update(after(issued=HELD.document.issued - TICK)),
        "rollback",
        "the registry was issued before the one held",
    ),
    "a version issued as the windows of its roots end": (
        lambda: update(after(root=_root(not_after=NOW))),
        "threshold",
        "0 good signatures of the new root; 2 are needed",
    ),
    "a version issued before the windows of its roots begin": (
        lambda: update(after(root=_root(not_before=NOW + TICK))),
        "threshold",
        "0 good signatures of the new root; 2 are needed",
    ),
    # -- keys
    "a malformed transport key": (
        lambda: update(authority(nkeys=("U" + "A" * 55,))),
        "malformed-nkey",
        "xa-csirt has a malformed transport key",
    ),
    "a transport key of two authorities": (
        lambda: update(authority(nkeys=HELD.document.authorities["xb-csirt"].nkeys)),
        "shared-key",
        f"transport key {HELD.document.authorities['xb-csirt'].nkeys[0]} of xb-csirt stands in two places",
    ),
    "a root that is the beacon's key": (
        lambda: update(after(beacon=Role(threshold=1, keys={A_ROOT.kid: key_record(A_ROOT)}))),
        "shared-key",
        f"key {A_ROOT.kid} stands in two roles",
    ),
    "an algorithm that is required and not there": (
        lambda: update(authority(require=("ML-DSA-65", "Ed25519", "ES256"))),
        "unreachable-require",
        "xa-csirt must sign with ES256, ML-DSA-65 but has no such key",
    ),
    "a root threshold out of reach": (
        lambda: VerifiedRegistry(
            document=after(root=msgspec.structs.replace(REVOKED_ROOTS, threshold=2)),
            digest=A43,
            raw=b"",
            beacon=None,
        ),
        "unreachable-threshold",
        "the root role can never reach its threshold",
    ),
    "a beacon threshold out of reach": (
        lambda: update(after(beacon=msgspec.structs.replace(BEACON_ROLE, threshold=2))),
        "unreachable-threshold",
        "the beacon role can never reach its threshold",
    ),
    "a beacon key under another id": (
        lambda: update(after(beacon=msgspec.structs.replace(BEACON_ROLE, keys={A43: A_KEY}))),
        "not-a-thumbprint",
        f"key {A43} is not its own thumbprint",
    ),
    "a key under another id": (
        lambda: update(authority(keys={A43: A_KEY})),
        "not-a-thumbprint",
        f"key {A43} is not its own thumbprint",
    ),
    "a key of two authorities": (
        lambda: update(authority(keys={THEIRS.kid: key_record(THEIRS)})),
        "shared-key",
        f"key {THEIRS.kid} stands in two places",
    ),
    "a key of a role and an authority": (
        lambda: update(authority(keys={WORLD.beacon.kid: key_record(WORLD.beacon)})),
        "shared-key",
        f"key {WORLD.beacon.kid} stands in two places",
    ),
    "a key that ends as it begins": (
        lambda: keyed((STRANGER, {"not_before": NOW, "not_after": NOW})),
        "malformed-registry",
        f"key {STRANGER.kid} ends before it begins",
    ),
    # -- seal keys
    "a seal key under another id": (
        lambda: sealing({SEAL.kid: seal_record(SEAL), A43: seal_record(SEAL)}),
        "not-a-thumbprint",
        f"seal key {A43} is not its own thumbprint",
    ),
    "a seal key of two authorities": (
        lambda: sealing({SEAL.kid: seal_record(SEAL)}, theirs={SEAL.kid: seal_record(SEAL)}),
        "shared-key",
        f"seal key {SEAL.kid} stands in two places",
    ),
    "a seal key that ends as it begins": (
        lambda: sealing({SEAL.kid: seal_record(SEAL, not_after=NOW - 30 * DAY)}),
        "malformed-registry",
        f"seal key {SEAL.kid} ends before it begins",
    ),
    "a window above 90 days": (
        lambda: sealing({SEAL.kid: seal_record(SEAL, not_after=NOW + 60 * DAY + TICK)}),
        "seal-window",
        f"seal key {SEAL.kid} of xa-csirt is valid for more than 90 days",
    ),
    "a window that begins anew": (
        lambda: sealing({SEAL.kid: seal_record(SEAL, not_before=NOW - 30 * DAY + TICK)}),
        "seal-window",
        f"seal key {SEAL.kid} had its window before; make a new key",
    ),
    "a seal key that is dropped and not remembered": (
        lambda: sealing({}),
        "seal-window",
        (
            f"seal key {SEAL.kid} is no longer listed and is not in `revoked`; its window could start again; "
            "keep it listed, or name it in `revoked`"
        ),
    ),
    "a revoked seal key that comes back": (
        lambda: sealing({SEAL.kid: seal_record(SEAL)}, held=SEAL_REVOKED),
        "key-revoked",
        f"key {SEAL.kid} is revoked and cannot come back; make a new key",
    ),
    # -- grants
    "an audience with an authority's id": (
        lambda: update(after(audiences={**HELD.document.audiences, "xa-csirt": Audience(scope=Scope.ORG)})),
        "audience",
        "xa-csirt is an authority; its own audience is its id and is not listed",
    ),
    "an id of another country": (
        lambda: update(authority(country="XB")),
        "authority-id",
        "xa-csirt does not begin with its country XB",
    ),
    "a grant to publish to nobody": (
        lambda: update(
            authority(
                publish=(
                    PublishGrant(
                        statuses=(Status.ACTUAL,),
                        tlps=(Tlp.GREEN,),
                        audiences=("community", "nobody"),
                        kinds=("*",),
                        areas=("*",),
                    ),
                )
            )
        ),
        "audience",
        "xa-csirt has a grant for an audience that does not exist: nobody",
    ),
    "a grant to read of nobody": (
        lambda: update(reading(Status.ACTUAL, Tlp.GREEN, "nobody")),
        "audience",
        "xa-csirt has a grant for an audience that does not exist: nobody",
    ),
    "a reader at AMBER who is no member": (
        lambda: update(reading(Status.ACTUAL, Tlp.AMBER, "eu-dpas")),
        "not-a-member",
        (
            "xa-csirt reads TLP:AMBER to eu-dpas but is no member; "
            "tocsin registry join makes it one; leave --with-grants takes the grant back"
        ),
    ),
    "a reader of what comes to another": (
        lambda: update(reading(Status.SYSTEM, Tlp.GREEN, "xb-csirt")),
        "not-a-member",
        "xa-csirt reads status system to xb-csirt; only xb-csirt may read that",
    ),
    "a national audience with a member of another country": (
        lambda: update(national("xa-csirt", "xb-csirt")),
        "other-country",
        "nation is a national audience of XA; xb-csirt is of another country; leave it out, or make the scope union",
    ),
    "a speaker of another country": (
        lambda: update(national("xb-csirt", publish=("xa-csirt",))),
        "other-country",
        "xa-csirt has a grant for nation, a national audience of XB; take it back, or make the scope union",
    ),
    "a reader of another country": (
        lambda: update(national("xb-csirt", read=("xa-csirt",))),
        "other-country",
        "xa-csirt has a grant for nation, a national audience of XB; take it back, or make the scope union",
    ),
    "a grant that names status beat": (
        lambda: update(reading(Status.BEAT, Tlp.GREEN, "community")),
        "malformed-registry",
        "xa-csirt has a grant for status beat; grant heartbeats on status system instead",
    ),
    # -- beacons
    "no beacon file": (
        lambda: HELD.with_beacon(b"{}", NOW),
        "malformed-beacon",
        "not a signed beacon: not a signed file: Object missing required field `payload`",
    ),
    "a beacon by a stranger": (
        lambda: HELD.with_beacon(beacon(STRANGER), NOW),
        "threshold",
        "0 good signatures of the beacon role; 1 are needed",
    ),
    "no beacon in the file": (
        _malformed_beacon,
        "malformed-beacon",
        "the beacon is malformed: Object missing required field `spec`",
    ),
    "a beacon of another domain": (
        lambda: HELD.with_beacon(beacon(domain="elsewhere"), NOW),
        "domain",
        "the beacon is of elsewhere",
    ),
    "a beacon from the future": (
        lambda: HELD.with_beacon(beacon(issued=NOW + SLACK + TICK), NOW),
        "from-the-future",
        "the beacon is from the future; check the clock",
    ),
    "a beacon that runs out now": (
        lambda: HELD.with_beacon(beacon(expires=NOW), NOW),
        "expired",
        "the beacon has expired; fetch a new one",
    ),
    "a beacon issued before the last one": (
        lambda: HELD.with_beacon(beacon(issued=NOW - TICK), NOW),
        "rollback",
        "the beacon is older than the last one seen",
    ),
    "a beacon of a version before the last one's": (
        lambda: BEACON_AFTER.with_beacon(beacon(issued=NOW + TICK), NOW),
        "rollback",
        "the beacon is older than the last one seen",
    ),
    "a beacon that splits the view": (
        lambda: HELD.with_beacon(beacon(digest="B" * 43), NOW),
        "fork",
        "the beacon names another registry of this same version: a split view",
    ),
    "a beacon for more than 48 hours": (
        lambda: HELD.with_beacon(beacon(expires=NOW + 2 * DAY + TICK), NOW),
        "beacon-bounds",
        "the beacon is valid for more than 48 hours",
    ),
    "a beacon that ends before it begins": (
        lambda: HELD.with_beacon(beacon(issued=NOW + SLACK, expires=NOW + TICK), NOW),
        "beacon-bounds",
        "the beacon is valid for more than 48 hours",
    ),
    "a beacon 1001 versions ahead": (
        lambda: HELD.with_beacon(beacon(version=1002, digest="B" * 43), NOW),
        "beacon-bounds",
        "the beacon is more than 1000 versions ahead",
    ),
    "a beacon as its key's window ends": (
        lambda: _beaconed(not_after=NOW).with_beacon(beacon(), NOW),
        "threshold",
        "0 good signatures of the beacon role; 1 are needed",
    ),
    "a beacon issued before its key's window": (
        lambda: _beaconed(not_before=NOW).with_beacon(beacon(issued=NOW - TICK), NOW),
        "threshold",
        "0 good signatures of the beacon role; 1 are needed",
    ),
    "a beacon issued in its key's window and heard after it": (
        lambda: _beaconed(not_after=NOW).with_beacon(beacon(issued=NOW - TICK), NOW),
        "threshold",
        "0 good signatures of the beacon role; 1 are needed",
    ),
    # -- statements
    "no statement file": (
        lambda: HELD.with_revocation(b"{}", NOW),
        "malformed-revoke",
        "not a signed revoke: not a signed file: Object missing required field `payload`",
    ),
    "no statement in the file": (
        _malformed_statement,
        "malformed-revoke",
        "the revocation is malformed: Object missing required field `spec`",
    ),
    "a statement by a stranger": (
        lambda: revoke(STRANGER),
        "unknown-key",
        "no key of the registry signed the revocation",
    ),
    "a statement under another algorithm": (
        lambda: HELD.with_revocation(as_algorithm(revocation(), "ES256", MINE, TYP_REVOKE), NOW),
        "wrong-algorithm",
        "no key of the registry signed the revocation",
    ),
    "a statement for another domain": (
        lambda: revoke(domain="elsewhere"),
        "domain",
        "the revocation is of elsewhere, not of test",
    ),
    "a statement by another authority": (
        lambda: revoke(THEIRS),
        "not-your-key",
        "no key of xa-csirt signed it",
    ),
    "a statement about what is to come": (
        lambda: revoke(since=NOW + TICK),
        "from-the-future",
        "the time since which a key is revoked must not be in the future",
    ),
    "a statement about a key that nobody has": (
        lambda: revoke(kids=(MINE.kid, A43)),
        "unknown-key",
        f"key {A43} is not in the registry",
    ),
    "a statement about another's key": (
        lambda: revoke(kids=(MINE.kid, THEIRS.kid)),
        "not-your-key",
        f"key {THEIRS.kid} does not belong to xa-csirt, which therefore cannot revoke it",
    ),
    "a statement from the future": (
        lambda: revoke(issued=NOW + SLACK + TICK),
        "from-the-future",
        "the revocation is from the future; check the clock",
    ),
    "a statement by a revoked key": (
        lambda: revoke(kids=(STRANGER.kid,), held=_gone()),
        "key-revoked",
        "the key that signed the revocation is itself revoked",
    ),
    "a statement as its key ends": (
        lambda: revoke(held=keyed((MINE, {"not_after": NOW}))),
        "key-not-valid",
        "the key that signed the revocation is outside its window",
    ),
    "a statement dated before its key begins": (
        lambda: revoke(held=keyed((MINE, {"not_before": NOW + TICK}))),
        "key-not-valid",
        "the key that signed the revocation is outside its window",
    ),
    # -- questions
    "a question about nobody": (
        lambda: HELD.authority("xa-nobody"),
        "unknown-authority",
        "xa-nobody is not in registry test version 1",
    ),
    "who nobody is": (
        lambda: HELD.issuer("xa-nobody"),
        "unknown-authority",
        "xa-nobody is not in registry test version 1",
    ),
}


@pytest.mark.parametrize(("refuse", "reason", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_reason_and_its_sentence(refuse: Refuse, reason: str, sentence: str) -> None:
    """The code is for programs, the sentence for a person; both say what is wrong and what to do."""
    with pytest.raises(TrustError) as refused:
        refuse()
    assert (refused.value.reason, str(refused.value)) == (reason, sentence)


def test_a_transport_key_that_signs_is_refused() -> None:
    """The sentence says why: a broker could have it sign."""
    with pytest.raises(TrustError) as refused:
        update(transport_of(STRANGER))
    assert refused.value.reason == "transport-key"
    assert str(refused.value).endswith(" is also a transport key; a broker could have it sign")


ACCEPTED: dict[str, Refuse] = {
    "an id of three parts": lambda: update(
        proposals.add_authority(
            after(),
            "xa-csirt-two",
            msgspec.structs.replace(HELD.document.authorities["xa-csirt"], keys={}, nkeys=()),
        )
    ),
    "a registry five minutes ahead": lambda: update(after(issued=NOW + SLACK)),
    "an algorithm whose key is revoked": lambda: update(
        authority(keys={MINE.kid: key_record(MINE, revoked_since=NOW)})
    ),
    "an authority without a key that must sign with two": lambda: update(
        authority(keys={}, require=("Ed25519", "ML-DSA-65"))
    ),
    "a beacon issued as its key begins": lambda: _beaconed(not_before=NOW).with_beacon(beacon(), NOW),
    "a beacon a moment before its key ends": lambda: _beaconed(not_after=NOW + TICK).with_beacon(
        beacon(), NOW
    ),
    "a version issued as the one held": lambda: update(after(issued=HELD.document.issued)),
    "a version issued a moment before its roots end": lambda: update(after(root=_root(not_after=NOW + TICK))),
    "a version issued as its roots begin": lambda: update(after(root=_root(not_before=NOW))),
    "a revoked key that is dropped and remembered": lambda: _gone().update(
        signed_registry(msgspec.structs.replace(_forgets(), revoked={MINE.kid: NOW}), WORLD.roots), NOW
    ),
    "a beacon for 48 hours": lambda: FIRST.with_beacon(beacon(expires=NOW + 2 * DAY), NOW),
    "a beacon 1000 versions ahead": lambda: FIRST.with_beacon(beacon(version=1001, digest="B" * 43), NOW),
    "a beacon older than one that has run out": lambda: FIRST.with_beacon(
        beacon(version=5, digest="B" * 43, expires=NOW + TICK), NOW
    ).with_beacon(beacon(), NOW + TICK),
    "a beacon five minutes ahead": lambda: FIRST.with_beacon(beacon(issued=NOW + SLACK), NOW),
    "a beacon a moment before it runs out": lambda: FIRST.with_beacon(beacon(expires=NOW + TICK), NOW),
    "the last beacon again": lambda: HELD.with_beacon(beacon(), NOW),
    "a beacon of a newer version, before the last one was issued": lambda: FIRST.with_beacon(
        beacon(version=2, digest="B" * 43, issued=NOW - DAY), NOW
    ),
    "a seal key for 90 days": lambda: sealing({SEAL.kid: seal_record(SEAL, not_after=NOW + 60 * DAY)}),
    "a seal key whose window begins earlier": lambda: sealing(
        {SEAL.kid: seal_record(SEAL, not_before=NOW - 40 * DAY)}
    ),
    "a revoked seal key that stays so": lambda: sealing(
        {SEAL.kid: seal_record(SEAL, revoked_since=NOW)}, held=SEAL_REVOKED
    ),
    "a statement about what begins now, five minutes ahead": lambda: revoke(
        since=NOW + SLACK, issued=NOW + SLACK
    ),
    "a statement dated as its key begins": lambda: revoke(held=keyed((MINE, {"not_before": NOW}))),
    "a statement a moment before its key ends": lambda: revoke(held=keyed((MINE, {"not_after": NOW + TICK}))),
    "a statement by a revoked key and a good one": lambda: revoke(MINE, STRANGER, held=_gone()),
    "a statement by another authority beside its own": lambda: revoke(THEIRS, MINE),
    "a reader at AMBER who is a member": lambda: update(reading(Status.ACTUAL, Tlp.AMBER, "xa-csirt")),
    "a reader at GREEN who is no member": lambda: update(reading(Status.ACTUAL, Tlp.GREEN, "eu-dpas")),
    "a reader of what comes to itself": lambda: update(reading(Status.SYSTEM, Tlp.GREEN, "xa-csirt")),
    "a reader of what another says to itself at GREEN": lambda: update(
        reading(Status.ACTUAL, Tlp.GREEN, "xb-csirt")
    ),
}


@pytest.mark.parametrize("accept", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_just_within_its_bound_stands(accept: Refuse) -> None:
    """Each bound holds to the moment and to the key."""
    assert isinstance(accept(), VerifiedRegistry)


# -- what a registry is after each step ---------------------------------------------------------------------------


def test_an_opened_registry_is_what_was_signed() -> None:
    """Document, digest, bytes, domain and version are the file's; nothing is known of its currency."""
    opened = VerifiedRegistry.open(WORLD.raw)
    assert (opened.raw, opened.digest, opened.domain, opened.version) == (WORLD.raw, WORLD.pin, "test", 1)
    assert opened.document == HELD.document
    assert opened.beacon is None
    assert opened.revocations == ()


def test_a_registry_may_be_larger_than_a_bulletin() -> None:
    """Its own bound holds, not that of a payload on the bus."""
    payload = encode(HELD.document)
    payload = payload[:1] + b" " * MAX_PAYLOAD_BYTES + payload[1:]
    entries = tuple(sign_entry(root, payload, within(TYP_REGISTRY)) for root in WORLD.roots)
    assert VerifiedRegistry.open(write_signed(payload, entries)).document == HELD.document


def test_an_update_keeps_beacon_and_statements() -> None:
    """The next version brings a document; what was seen beside it stays."""
    held = HELD.with_revocation(revocation(), NOW)
    raw = signed_registry(after(held), WORLD.roots)
    updated = held.update(raw, NOW)
    assert (updated.raw, updated.version, updated.domain) == (raw, 2, "test")
    assert updated.digest == digest(encode(after(held)))
    assert updated.beacon == HELD.beacon
    assert updated.revocations == held.revocations
    assert updated.document == after(held)


def test_a_beacon_changes_nothing_but_the_beacon() -> None:
    """The registry stays the same one, with what was revoked in it."""
    held = FIRST.with_revocation(revocation(), NOW)
    seen = held.with_beacon(beacon(), NOW)
    assert seen.beacon is not None
    assert (seen.beacon.version, seen.beacon.issued, held.beacon) == (1, NOW, None)
    assert (seen.raw, seen.digest, seen.revoked()) == (held.raw, held.digest, {MINE.kid: NOW})


def test_a_beacon_needs_its_threshold_in_distinct_keys() -> None:
    """Of a role of two, one is too few."""
    second = FileSigner.generate()
    keys = {each.kid: key_record(each) for each in (WORLD.beacon, second)}
    held = update(after(beacon=msgspec.structs.replace(BEACON_ROLE, keys=keys, threshold=2)))
    changes: dict[str, Any] = {"version": 2, "digest": held.digest}
    with pytest.raises(TrustError, match="1 good signatures of the beacon role; 2 are needed"):
        held.with_beacon(beacon(second, **changes), NOW)
    assert held.with_beacon(beacon(second, WORLD.beacon, **changes), NOW).state(NOW) is TrustState.FRESH


def test_currency_changes_at_its_very_moment() -> None:
    """A beacon's end makes stale, a registry's end makes expired, each as it comes."""
    assert HELD.beacon is not None
    seen = FIRST.with_beacon(beacon(expires=NOW + DAY), NOW)
    assert seen.state(NOW + DAY - TICK) is TrustState.FRESH
    assert seen.state(NOW + DAY) is TrustState.STALE
    ends = HELD.document.expires
    assert FIRST.state(ends - TICK) is TrustState.STALE
    assert FIRST.state(ends) is TrustState.EXPIRED


# -- statements ---------------------------------------------------------------------------------------------------


def test_a_statement_says_what_it_was_made_of() -> None:
    """Every field, and one signature by its signer."""
    raw = new_statement(
        domain="test",
        authority="xa-csirt",
        kids=[MINE.kid, A43],
        since=NOW - DAY,
        reason="key-lost",
        signer=MINE,
        now=NOW,
    )
    assert raw == revocation(kids=(MINE.kid, A43), since=NOW - DAY)
    assert speaker_of(raw, DOMAIN) == "xa-csirt"
    assert [entry.header.kid for entry in read_signed(raw, within(TYP_REVOKE)).entries] == [MINE.kid]


def test_a_statement_out_of_its_bounds_is_not_made() -> None:
    """Found by the person who makes it, not by those who read it."""
    bad: tuple[dict[str, Any], ...] = (
        {"kids": []},
        {"kids": [MINE.kid] * 33},
        {"reason": "Not a slug"},
        {"domain": "?"},
    )
    for changes in bad:
        fields: dict[str, Any] = {
            "domain": "test",
            "authority": "xa-csirt",
            "kids": [MINE.kid],
            "since": NOW,
            "reason": "key-lost",
            **changes,
        }
        with pytest.raises(SchemaError):
            new_statement(**fields, signer=MINE, now=NOW)


def test_the_speaker_of_something_else_is_nobody() -> None:
    """A bulletin's file is no statement, nor a signed object of another shape, nor one above the bound of statements."""
    bulletin_file = write_signed(b"{}", (sign_entry(MINE, b"{}", within()),))
    with pytest.raises(EnvelopeError):
        speaker_of(bulletin_file, DOMAIN)
    with pytest.raises(SchemaError):
        speaker_of(write_signed(b"{}", (sign_entry(MINE, b"{}", within(TYP_REVOKE)),)), DOMAIN)
    payload = read_signed(revocation(), within(TYP_REVOKE)).payload
    padded = payload[:1] + b" " * MAX_REVOKE_BYTES + payload[1:]
    with pytest.raises(SchemaError) as refused:
        speaker_of(write_signed(padded, (sign_entry(MINE, padded, within(TYP_REVOKE)),)), DOMAIN)
    assert refused.value.reason == "too-large"


def test_of_two_statements_the_earlier_moment_holds_with_its_reason() -> None:
    """This holds in any order; of two for the same moment always the same one wins, by the text of their reasons."""
    late, early = revocation(since=NOW - DAY), revocation(since=NOW - 2 * DAY, reason="key-compromise")
    second = revocation(since=NOW - 2 * DAY, reason="superseded")
    held = keyed((MINE, {}), (STRANGER, {}))
    for order, said in (
        ((late, early), "key-compromise"),
        ((early, late), "key-compromise"),
        ((early, second), "key-compromise"),
        ((second, early), "key-compromise"),
    ):
        ended = held
        for raw in order:
            ended = ended.with_revocation(raw, NOW, taken_before=True)
        key = ended.key(MINE.kid)
        assert key is not None
        assert (key.record.revoked_since, key.record.revoked_for) == (NOW - 2 * DAY, said)
        assert (key.authority_id, key.public.kid) == ("xa-csirt", MINE.kid)
        untouched = ended.key(STRANGER.kid)
        assert untouched is not None
        assert untouched.record.revoked_since is None


def test_the_registry_s_own_word_on_a_key_stands() -> None:
    """A statement neither moves its moment nor changes its reason, for keys that sign and that open."""
    held = keyed((MINE, {"revoked_since": NOW - DAY, "revoked_for": "superseded"}), (STRANGER, {}))
    assert held.with_revocation(revocation(STRANGER, since=NOW - 9 * DAY), NOW) is held
    sealed = SEAL_REVOKED
    statement = revocation(kids=(SEAL.kid,), since=NOW - 9 * DAY)
    assert sealed.with_revocation(statement, NOW) is sealed
    assert sealed.seal_keys("xa-csirt")[SEAL.kid].revoked_since == NOW - DAY


def test_a_statement_ends_a_seal_key_and_no_other() -> None:
    """Its moment is the statement's; the record is otherwise the same."""
    held = sealing({SEAL.kid: seal_record(SEAL), OTHER_SEAL.kid: seal_record(OTHER_SEAL)})
    ended = held.with_revocation(revocation(kids=(SEAL.kid,), since=NOW - DAY), NOW)
    keys = ended.seal_keys("xa-csirt")
    assert keys[SEAL.kid] == seal_record(SEAL, revoked_since=NOW - DAY)
    assert keys[OTHER_SEAL.kid] == seal_record(OTHER_SEAL)
    assert ended.seal_keys("xb-csirt") == {}
    assert held.seal_keys("xa-csirt")[SEAL.kid].revoked_since is None


REREAD: dict[str, tuple[bytes, str]] = {
    "by a key that has gone, of another domain": (revocation(STRANGER, domain="elsewhere"), "domain"),
    "by another authority": (revocation(THEIRS), "not-your-key"),
    "about what was to come": (revocation(since=NOW + TICK), "from-the-future"),
    "altered": (revocation().replace(b'"signature":"', b'"signature":"AA'), "bad-signature"),
    "under another algorithm": (
        as_algorithm(revocation(), "ES256", MINE, TYP_REVOKE),
        "wrong-algorithm",
    ),
}


@pytest.mark.parametrize(("raw", "reason"), REREAD.values(), ids=REREAD)
def test_what_could_never_have_counted_does_not_after_a_restart(raw: bytes, reason: str) -> None:
    """A file that was changed on disk is refused, although it is said to have been taken before."""
    with pytest.raises(TrustError) as refused:
        HELD.with_revocation(raw, NOW, taken_before=True)
    assert refused.value.reason == reason


def test_after_a_restart_age_and_fate_of_the_signing_key_do_not_matter() -> None:
    """The signing key may have expired, be revoked, or begin in this clock's future: its revocations stay."""
    for raw, held, now in (
        (revocation(), keyed((MINE, {"not_after": NOW})), NOW),
        (revocation(issued=NOW, since=NOW), keyed((MINE, {})), NOW - DAY),
        (revocation(STRANGER), keyed((MINE, {}), (STRANGER, {"revoked_since": NOW - DAY})), NOW),
        (revocation(STRANGER), HELD, NOW),
    ):
        assert MINE.kid in held.with_revocation(raw, now, taken_before=True).revoked()


def test_a_permission_of_nobody_is_a_trust_error_and_of_the_wrong_kind_is_not() -> None:
    """An issuer that is not listed, and one that is."""
    odd = bulletin(WORLD)
    nobody = msgspec.structs.replace(odd, issuer=msgspec.structs.replace(odd.issuer, id="xa-nobody"))
    with pytest.raises(TrustError) as refused:
        HELD.permit(nobody)
    assert refused.value.reason == "unknown-authority"
    with pytest.raises(PermitError) as denied:
        HELD.permit(bulletin(WORLD, areas=(Area(scope="country", country="XZ"),), audience="eu-dsc"))
    assert denied.value.reason == "not-permitted"
    assert channel_of(odd).issuer == "xa-csirt"
