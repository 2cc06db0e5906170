"""The registry vectors: a first version, what may follow it, beacons, and each rule violated once."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bus.keys.hpke import OpeningKey, SealKey
from bus.keys.signatures import FileSigner, sign_entry, thumbprint
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.codec import encode
from schemas.envelope import TYP_BEACON, TYP_REGISTRY, TYPES, Entry, b64u, unb64u, write_signed
from schemas.registry import (
    BEACON_SPEC,
    Audience,
    AuthorityRecord,
    Beacon,
    PublishGrant,
    ReadGrant,
    Registry,
    Role,
    SealKeyRecord,
)
from schemas.vocab import Domain, Scope, Status, Tlp
from tests.vectors.scene import (
    BEACON,
    DAY,
    DOMAIN,
    KEY,
    NOW,
    OTHER,
    REVOKED,
    ROOTS,
    STRANGER,
    record,
    within,
)

Case = tuple[str, str, bytes, str]


def _transport(signer: FileSigner) -> str:
    """The transport key with the same point as a bulletin key: prefix, point, checksum."""
    body = bytes((20 << 3,)) + unb64u(signer.jwk["x"])
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")


def _first() -> Registry:
    document = ceremony.new_registry(
        domain=DOMAIN,
        root_keys=[record(each) for each in ROOTS],
        root_threshold=2,
        beacon_keys=[record(BEACON)],
        beacon_threshold=1,
        audiences={"community": Audience(scope=Scope.UNION, members=("xa-csirt", "xb-csirt"))},
        now=NOW - DAY,
        lifetime=90 * DAY,
    )
    grant = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("community",), kinds=("*",), areas=("*",)
    )
    for n, (country, key) in enumerate((("XA", KEY), ("XB", OTHER))):
        made = AuthorityRecord(
            name=f"CSIRT of {country}",
            kind="csirt",
            domain=Domain.CYBER,
            country=country,
            keys={key.kid: record(key)}
            | ({REVOKED.kid: record(REVOKED, revoked_since=NOW - DAY)} if n else {}),
            nkeys=(_transport(FileSigner.from_seed(bytes([n]) * 32)),),
            publish=(grant,),
        )
        document = proposals.add_authority(document, f"{country.lower()}-csirt", made)
    return document


def file(
    document: Registry | bytes, *signers: FileSigner, typ: str = TYP_REGISTRY, signed_in: str = DOMAIN
) -> bytes:
    """A signed file; by default two roots sign."""
    payload = document if isinstance(document, bytes) else encode(document)
    context = within(typ, signed_in)
    entries: tuple[Entry, ...] = tuple(sign_entry(each, payload, context) for each in signers or ROOTS[:2])
    return write_signed(payload, entries)


FIRST = _first()
HELD = VerifiedRegistry.open(file(FIRST))
NEXT = ceremony.next_version(FIRST, HELD.digest, NOW, 90 * DAY)


def after(**changes: Any) -> Registry:
    """The next version with members replaced."""
    return msgspec.structs.replace(NEXT, **changes)


def authority(name: str = "xa-csirt", **changes: Any) -> Registry:
    """The next version with one authority changed."""
    made = msgspec.structs.replace(NEXT.authorities[name], **changes)
    return after(authorities={**NEXT.authorities, name: made})


def _point(x: bytes) -> Registry:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u(x)}
    return authority(keys={thumbprint(jwk): msgspec.structs.replace(record(KEY), jwk=jwk)})


_P = 2**255 - 19
_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
_EIGHT_TOO = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
SMALL_ORDER: tuple[bytes, ...] = tuple(
    (int.from_bytes(y, "little") | sign << 255).to_bytes(32, "little")
    for y in (*(n.to_bytes(32, "little") for n in (0, 1, _P - 1, _P, _P + 1)), _EIGHT, _EIGHT_TOO)
    for sign in (0, 1)
)
"""All encodings of the points of order 1, 2, 4 and 8, those beyond the prime and with a needless sign included."""


def _read(tlp: Tlp, audience: str) -> tuple[ReadGrant, ...]:
    return (ReadGrant(statuses=(Status.ACTUAL,), tlps=(tlp,), audiences=(audience,)),)


def _updates() -> Iterator[Case]:
    newcomer = {each.kid: record(each) for each in (STRANGER, *ROOTS[1:])}
    rotated = after(root=msgspec.structs.replace(NEXT.root, keys=newcomer))
    yield "the next version", "Good", file(NEXT), ""
    yield "under other two of the roots", "Good", file(NEXT, *ROOTS[1:]), ""
    yield "with a signature of nobody beside", "Good", file(NEXT, STRANGER, *ROOTS[:2]), ""
    yield "the version held, again", "Good", file(FIRST), ""
    yield "the version held, under other signatures", "Good", file(FIRST, STRANGER), ""
    yield "roots changed, under both thresholds", "Good", file(rotated, *ROOTS[1:]), ""
    yield "roots changed, under the old threshold alone", "Threshold", file(rotated, *ROOTS[:2]), "threshold"
    yield (
        "roots changed, under the new threshold alone",
        "Threshold",
        file(rotated, STRANGER, ROOTS[1]),
        "threshold",
    )
    yield "one root", "Threshold", file(NEXT, ROOTS[0]), "threshold"
    yield "a root and a stranger", "Threshold", file(NEXT, ROOTS[0], STRANGER), "threshold"
    yield "a root and the beacon's key", "Threshold", file(NEXT, ROOTS[0], BEACON), "threshold"
    yield "a root and an authority", "Threshold", file(NEXT, ROOTS[0], KEY), "threshold"
    once = json.loads(file(NEXT, ROOTS[0]))
    once["signatures"] *= 2
    yield "one root twice", "File", json.dumps(once).encode(), "malformed-registry"
    spoilt = json.loads(file(NEXT))
    spoilt["signatures"][1]["signature"] = b64u(bytes(64))
    yield (
        "a root, and one whose signature does not fit",
        "Threshold",
        json.dumps(spoilt).encode(),
        "threshold",
    )
    for typ in sorted(TYPES - {TYP_REGISTRY}):
        yield f"signed as {typ}", "File", file(NEXT, typ=typ), "malformed-registry"
    yield "signed in another domain", "Order", file(NEXT, signed_in="elsewhere"), "domain"
    yield "unsigned", "File", write_signed(encode(NEXT), ()), "malformed-registry"
    yield "no file", "File", b"tocsin", "malformed-registry"
    yield "rubbish, signed by a stranger", "Threshold", file(b'{"a":1}', STRANGER), "threshold"
    yield "rubbish, signed by the roots", "File", file(b'{"a":1}'), "malformed-registry"
    again = encode(NEXT).replace(b'"version":2', b'"version":9,"version":2')
    yield "a member twice", "File", file(again), "malformed-registry"
    yield (
        "an unknown member",
        "File",
        file(encode(NEXT).replace(b'"version":2', b'"version":2,"x":1')),
        "malformed-registry",
    )
    yield "a version before", "Order", file(after(version=1)), "rollback"
    yield "a version skipped", "Order", file(after(version=3)), "skip"
    yield "another history", "Order", file(after(prev="A" * 43)), "fork"
    yield "no history", "Order", file(after(prev=None)), "fork"
    yield "another domain", "Order", file(after(domain="elsewhere")), "domain"
    yield (
        "another domain, signed so",
        "Order",
        file(after(domain="elsewhere"), signed_in="elsewhere"),
        "domain",
    )
    yield "from the future", "Order", file(after(issued=NOW + DAY)), "from-the-future"
    yield "issued as the one held", "Good", file(after(issued=FIRST.issued)), ""
    yield "issued before the one held", "Order", file(after(issued=FIRST.issued - SECOND)), "rollback"
    yield (
        "issued after the window of its roots",
        "Threshold",
        file(after(root=_roles_until(NEXT.root, NOW)), *ROOTS),
        "threshold",
    )
    yield (
        "issued in the last second of its roots",
        "Good",
        file(after(root=_roles_until(NEXT.root, NOW + SECOND)), *ROOTS),
        "",
    )
    for comment, reason, document in _rules():
        yield comment, "Rules" if reason else "Good", file(document), reason
    for point in SMALL_ORDER:
        yield f"a key of small order, {point.hex()}", "Rules", file(_point(point)), "weak-key"


SECOND = dt.timedelta(seconds=1)


def _roles_until(role: Role, end: dt.datetime) -> Role:
    """The role, the windows of whose keys end then."""
    keys = {kid: msgspec.structs.replace(each, not_after=end) for kid, each in role.keys.items()}
    return msgspec.structs.replace(role, keys=keys)


def _rules() -> Iterator[tuple[str, str, Registry]]:
    """Comment, reason, document."""
    mine, theirs = NEXT.authorities["xa-csirt"], NEXT.authorities["xb-csirt"]
    kept = mine.keys[KEY.kid]
    short = {"kty": "OKP", "crv": "Ed25519", "x": b64u(bytes(31))}
    curve = {"kty": "EC", "crv": "P-256", "x": b64u(bytes(31) + b"\1"), "y": b64u(bytes(31) + b"\1")}
    yield (
        "a root threshold out of reach",
        "threshold",
        after(root=msgspec.structs.replace(NEXT.root, threshold=4)),
    )
    yield (
        "a beacon threshold out of reach",
        "unreachable-threshold",
        after(beacon=msgspec.structs.replace(NEXT.beacon, threshold=2)),
    )
    yield "a key under another id", "not-a-thumbprint", authority(keys={"A" * 43: kept})
    yield (
        "a beacon key under another id",
        "not-a-thumbprint",
        after(beacon=msgspec.structs.replace(NEXT.beacon, keys={"A" * 43: record(BEACON)})),
    )
    yield "one key of two authorities", "shared-key", authority(keys={OTHER.kid: record(OTHER)})
    yield "a root that is an authority", "shared-key", authority(keys={ROOTS[2].kid: record(ROOTS[2])})
    yield "a beacon key that is an authority", "shared-key", authority(keys={BEACON.kid: record(BEACON)})
    yield "a transport key that signs", "transport-key", authority("xb-csirt", nkeys=(_transport(KEY),))
    yield "a transport key that is a root", "transport-key", authority(nkeys=(_transport(ROOTS[2]),))
    yield "a transport key that is the beacon's", "transport-key", authority(nkeys=(_transport(BEACON),))
    gone = {
        **NEXT.root.keys,
        **{each.kid: record(each, revoked_since=NOW) for each in (ROOTS[1], ROOTS[2])},
    }
    left = after(root=msgspec.structs.replace(NEXT.root, keys=gone, threshold=1))
    yield "revoked roots that count for nothing", "", left
    revoked = msgspec.structs.replace(NEXT.beacon, keys={BEACON.kid: record(BEACON, revoked_since=NOW)})
    yield "a beacon role whose only key is revoked", "unreachable-threshold", after(beacon=revoked)
    yield (
        "a root threshold that only revoked roots reach",
        "threshold",
        after(root=msgspec.structs.replace(NEXT.root, keys=gone)),
    )
    yield "a transport key with a wrong checksum", "malformed-nkey", authority(nkeys=("U" + "A" * 55,))
    yield (
        "a key that ends before it begins",
        "malformed-registry",
        authority(keys={KEY.kid: msgspec.structs.replace(kept, not_after=kept.not_before)}),
    )
    yield (
        "a key of another algorithm",
        "unsupported-key",
        authority(keys={KEY.kid: msgspec.structs.replace(kept, alg="ES256")}),
    )
    yield (
        "a key too short",
        "unsupported-key",
        authority(keys={thumbprint(short): msgspec.structs.replace(kept, jwk=short)}),
    )
    yield (
        "a point that is not on its curve",
        "unsupported-key",
        authority(keys={thumbprint(curve): msgspec.structs.replace(kept, alg="ES256", jwk=curve)}),
    )
    again = {**theirs.keys, REVOKED.kid: record(REVOKED)}
    yield "a revoked key trusted again", "key-revoked", authority("xb-csirt", keys=again)
    dropped = authority("xb-csirt", keys={OTHER.kid: record(OTHER)})
    yield "a revoked key dropped and remembered", "", dropped
    yield "a revoked key forgotten", "key-revoked", msgspec.structs.replace(dropped, revoked={})
    yield (
        "a revoked key of an authority that is the beacon's",
        "key-revoked",
        msgspec.structs.replace(dropped, beacon=Role(threshold=1, keys={REVOKED.kid: record(REVOKED)})),
    )
    roots = {**NEXT.root.keys, REVOKED.kid: record(REVOKED)}
    yield (
        "a revoked key of an authority that is a root",
        "key-revoked",
        msgspec.structs.replace(dropped, root=Role(threshold=2, keys=roots)),
    )
    yield "a key that is remembered as revoked, and trusted", "key-revoked", after(revoked={KEY.kid: NOW})
    yield (
        "a root that is the beacon's key",
        "shared-key",
        after(beacon=msgspec.structs.replace(NEXT.beacon, keys={ROOTS[2].kid: record(ROOTS[2])})),
    )
    yield (
        "one transport key of two authorities",
        "shared-key",
        authority(nkeys=NEXT.authorities["xb-csirt"].nkeys),
    )
    yield "a transport key twice", "shared-key", authority(nkeys=mine.nkeys * 2)
    yield (
        "an algorithm that is required and not there",
        "unreachable-require",
        authority(require=("Ed25519", "ML-DSA-65")),
    )
    yield "an authority without a key", "", authority(keys={}, require=("Ed25519", "ML-DSA-65"))
    yield "an id of another country", "authority-id", authority(country="XB")
    yield (
        "an audience with an authority's id",
        "audience",
        after(audiences={**NEXT.audiences, "xa-csirt": Audience(scope=Scope.ORG)}),
    )
    yield "a grant to publish for nobody", "audience", after(audiences={})
    yield "a grant to read of nobody", "audience", authority(read=_read(Tlp.GREEN, "strangers"))
    yield "a reader at AMBER who is no member", "not-a-member", authority(read=_read(Tlp.AMBER, "xb-csirt"))
    theirs_alone = ReadGrant(statuses=(Status.SYSTEM,), tlps=(Tlp.GREEN,), audiences=("xb-csirt",))
    yield "a reader of another's receipts", "not-a-member", authority(read=(theirs_alone,))
    outside = {"community": Audience(scope=Scope.UNION, members=("xb-csirt",))}
    strict = authority(read=_read(Tlp.AMBER_STRICT, "community"))
    yield (
        "a reader at AMBER+STRICT who is no member",
        "not-a-member",
        msgspec.structs.replace(strict, audiences=outside),
    )

    def national(*members: str) -> dict[str, Audience]:
        return {**NEXT.audiences, "nation": Audience(scope=Scope.NATIONAL, members=members)}

    yield "a national audience", "", after(audiences=national("xa-csirt"))
    yield (
        "a national audience of two countries",
        "other-country",
        after(audiences=national("xa-csirt", "xb-csirt")),
    )
    reader = authority(read=_read(Tlp.GREEN, "nation"))
    yield (
        "a reader of another country's national audience",
        "other-country",
        msgspec.structs.replace(reader, audiences=national("xb-csirt")),
    )
    speaker = proposals.grant(
        NEXT, "xa-csirt", publish=(msgspec.structs.replace(mine.publish[0], audiences=("nation",)),)
    )
    yield (
        "a speaker of another country's national audience",
        "other-country",
        msgspec.structs.replace(speaker, audiences=national("xb-csirt")),
    )


SEALING, NEWER, LOST = (OpeningKey(bytes([n]) * 32).public for n in (221, 222, 223))


def _window(key: SealKey, **changes: Any) -> dict[str, SealKeyRecord]:
    """One seal key by its id, in a window of 60 days about now."""
    fields: dict[str, Any] = {
        "alg": "HPKE-9-KE",
        "jwk": key.jwk,
        "not_before": NOW - 30 * DAY,
        "not_after": NOW + 30 * DAY,
    }
    return {key.kid: SealKeyRecord(**{**fields, **changes})}


KEPT = _window(SEALING) | _window(LOST, revoked_since=NOW - DAY)
WITH_SEALS = msgspec.structs.replace(
    FIRST,
    authorities={
        **FIRST.authorities,
        "xa-csirt": msgspec.structs.replace(FIRST.authorities["xa-csirt"], seal_keys=KEPT),
    },
)
HELD_WITH_SEALS = VerifiedRegistry.open(file(WITH_SEALS))


def _sealing(
    mine: dict[str, SealKeyRecord], theirs: dict[str, SealKeyRecord] | None = None, **changes: Any
) -> bytes:
    """The version after the one with seal keys, with these in their place, and with members replaced."""
    document = ceremony.next_version(WITH_SEALS, HELD_WITH_SEALS.digest, NOW, 90 * DAY)
    changed = {
        name: msgspec.structs.replace(document.authorities[name], seal_keys=keys)
        for name, keys in (("xa-csirt", mine), ("xb-csirt", theirs or {}))
    }
    return file(msgspec.structs.replace(document, authorities=changed, **changes))


def _seal_keys() -> Iterator[Case]:
    """Each follows a version with one seal key and a revoked one."""
    begun, ended = NOW - 30 * DAY, NOW + 60 * DAY
    later = _window(SEALING, not_before=begun + SECOND)
    yield "seal keys kept", "Seal", _sealing(KEPT), ""
    ends = {kid: record.revoked_since or record.not_after for kid, record in KEPT.items()}
    yield "seal keys dropped, each remembered", "Seal", _sealing({}, revoked=ends), ""
    yield "a seal key dropped and not remembered", "Seal", _sealing({}), "seal-window"
    yield "a revoked seal key forgotten", "Seal", _sealing({}, revoked={}), "key-revoked"
    yield "a further seal key, for 90 days", "Seal", _sealing(KEPT | _window(NEWER, not_after=ended)), ""
    yield "a window lengthened to 90 days", "Seal", _sealing(KEPT | _window(SEALING, not_after=ended)), ""
    yield "a window that ends sooner", "Seal", _sealing(KEPT | _window(SEALING, not_after=NOW)), ""
    yield "a seal key revoked", "Seal", _sealing(KEPT | _window(SEALING, revoked_since=NOW)), ""
    for comment, reason, raw in (
        (
            "a window of 90 days and a second",
            "seal-window",
            _sealing(KEPT | _window(NEWER, not_after=ended + SECOND)),
        ),
        (
            "a window lengthened beyond 90 days",
            "seal-window",
            _sealing(KEPT | _window(SEALING, not_after=ended + SECOND)),
        ),
        ("a window that begins a second later", "seal-window", _sealing(KEPT | later)),
        (
            "a window that begins anew after its end",
            "seal-window",
            _sealing(KEPT | _window(SEALING, not_before=NOW + 30 * DAY, not_after=NOW + 90 * DAY)),
        ),
        (
            "a window that begins anew for another authority",
            "seal-window",
            _sealing(_window(LOST, revoked_since=NOW - DAY), later),
        ),
        ("a revoked seal key trusted again", "key-revoked", _sealing(KEPT | _window(LOST))),
        (
            "a seal key that ends as it begins",
            "malformed-registry",
            _sealing(KEPT | _window(NEWER, not_after=begun)),
        ),
        ("one seal key of two authorities", "shared-key", _sealing(KEPT, _window(SEALING))),
        (
            "a seal key under another id",
            "not-a-thumbprint",
            _sealing(KEPT | {"A" * 43: KEPT[SEALING.kid]}),
        ),
        (
            "a seal key that is none",
            "unsupported-key",
            _sealing(KEPT | _window(NEWER, jwk={**NEWER.jwk, "pub": "AAAA"})),
        ),
    ):
        yield comment, "Seal", raw, reason


def _beacon(*signers: FileSigner, typ: str = TYP_BEACON, signed_in: str = DOMAIN, **changes: Any) -> bytes:
    made = Beacon(
        spec=BEACON_SPEC, domain=DOMAIN, version=1, digest=HELD.digest, issued=NOW, expires=NOW + DAY / 4
    )
    payload = encode(msgspec.structs.replace(made, **changes))
    return write_signed(
        payload, tuple(sign_entry(each, payload, within(typ, signed_in)) for each in signers or (BEACON,))
    )


def _beacons() -> Iterator[Case]:
    """Each is seen after one of an hour ago that named this version."""
    yield "the version held", "Good", _beacon(), ""
    yield "a newer version", "Good", _beacon(version=2, digest="B" * 43), ""
    yield "by a stranger", "Threshold", _beacon(STRANGER), "threshold"
    yield "by a root", "Threshold", _beacon(ROOTS[0]), "threshold"
    for typ in sorted(TYPES - {TYP_BEACON}):
        yield f"signed as {typ}", "File", _beacon(typ=typ), "malformed-beacon"
    yield "signed in another domain", "Order", _beacon(signed_in="elsewhere"), "domain"
    yield "no file", "File", b"{}", "malformed-beacon"
    yield "of another domain", "Order", _beacon(domain="elsewhere"), "domain"
    yield (
        "of another domain, signed so",
        "Order",
        _beacon(domain="elsewhere", signed_in="elsewhere"),
        "domain",
    )
    yield "from the future", "Order", _beacon(issued=NOW + DAY), "from-the-future"
    yield "run out", "Order", _beacon(expires=NOW), "expired"
    yield "older than the last one", "Order", _beacon(issued=NOW - DAY / 12), "rollback"
    yield "another registry of this version", "Order", _beacon(digest="B" * 43), "fork"
    yield "good for 48 hours", "Good", _beacon(expires=NOW + 2 * DAY), ""
    yield "good for longer", "Bounds", _beacon(expires=NOW + 2 * DAY + SECOND), "beacon-bounds"
    yield "1000 versions ahead", "Good", _beacon(version=1001, digest="B" * 43), ""
    yield "further ahead", "Bounds", _beacon(version=1002, digest="B" * 43), "beacon-bounds"


def _opened() -> Iterator[tuple[str, str, bytes, str, str]]:
    raw = file(FIRST)
    yield "believed by its digest", "Good", raw, HELD.digest, ""
    yield "another digest", "Pin", raw, "A" * 43, "pin"
    yield "the digest of another version", "Pin", file(NEXT), HELD.digest, "pin"
    for typ in sorted(TYPES - {TYP_REGISTRY}):
        yield f"signed as {typ}", "File", file(FIRST, typ=typ), HELD.digest, "malformed-registry"
    yield "signed in another domain", "Order", file(FIRST, signed_in="elsewhere"), HELD.digest, "domain"
    alone = file(FIRST, ROOTS[0])
    yield "believed by its digest, under too few roots", "Threshold", alone, HELD.digest, "threshold"


EARLIER = _beacon(issued=NOW - DAY / 24)
_TABLES: tuple[tuple[str, VerifiedRegistry, Callable[[], Iterator[Case]]], ...] = (
    ("Update", HELD, _updates),
    ("Beacon", HELD, _beacons),
    ("Update", HELD_WITH_SEALS, _seal_keys),
)


def groups() -> list[dict[str, Any]]:
    """A first version, the version after it, a beacon for it, and the version after one with seal keys."""
    told = {"now": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
    opened: list[dict[str, Any]] = [
        {"comment": comment, "flags": [flag], "input": raw.decode(), "pin": pin, "reason": reason}
        for comment, flag, raw, pin, reason in _opened()
    ]
    made: list[dict[str, Any]] = [{"type": "Open", **told, "tests": opened}]
    for name, registry, table in _TABLES:
        held = {**told, "registry": json.loads(registry.raw), "pin": registry.digest}
        tests = [
            {"comment": comment, "flags": [flag], "input": raw.decode(), "reason": reason}
            for comment, flag, raw, reason in table()
        ]
        seen = {"beacon": json.loads(EARLIER)} if name == "Beacon" else {}
        made.append({"type": name, **held, **seen, "tests": tests})
    for n, test in enumerate((test for group in made for test in group["tests"]), 1):
        test.update({"tcId": n, "result": "invalid" if test["reason"] else "valid"})
    return made
