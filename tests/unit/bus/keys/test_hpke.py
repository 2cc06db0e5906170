"""Seals: what is sealed opens for its recipients, in its place, unchanged; and for nobody else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.errors import SealError, TrustError
from bus.keys.hpke import OpeningKey, SealKey, open_sealed, seal
from schemas.envelope import b64u, unb64u
from schemas.errors import EnvelopeError
from schemas.jwe import (
    MAX_JWE_CHARS,
    SealContext,
    WrappedKey,
    binding,
    commitment,
    pad,
    padded_size,
    read_jwe,
    seal_header,
    unpad,
)
from tests.support.places import ROOT
from tests.support.sealed import opening_key

VECTOR = json.loads((ROOT / "tests" / "vectors" / "hpke_9_ke.json").read_text("utf-8"))
HERE = SealContext(
    domain="test",
    issuer="xa-csirt",
    channel="xa-csirt/actual.red.eu-csirts",
    id="0196fe2f-9be0-7000-8000-000000000001",
)
NAMES = ("a", "b", "c")
INNER = b'{"payload":"e30","signatures":[]}\n'

Jwe = dict[str, Any]


def sealed(names: tuple[str, ...] = NAMES, inner: bytes = INNER, context: SealContext = HERE) -> str:
    """A seal for keys with these names."""
    keys = [opening_key(each).public for each in names]
    return seal(inner, keys, context, random.Random(repr(names)).randbytes)


def protected_of(jwe: Jwe) -> dict[str, Any]:
    """Its protected header."""
    found: dict[str, Any] = json.loads(unb64u(jwe["protected"]))
    return found


def test_the_vector_of_the_ietf_draft_opens() -> None:
    """Key derivation, thumbprint, key management and content encryption are the draft's."""
    key = OpeningKey(unb64u(VECTOR["jwk"]["priv"]))
    assert key.public.jwk == {name: VECTOR["jwk"][name] for name in ("kty", "alg", "pub")}
    assert key.kid == VECTOR["jwk"]["kid"]
    jwe = VECTOR["flattened"]
    wrapped = WrappedKey(
        kid=key.kid, ek=unb64u(protected_of(jwe)["ek"]), encrypted_key=unb64u(jwe["encrypted_key"])
    )
    sent = unb64u(jwe["ciphertext"]) + unb64u(jwe["tag"])
    plain = AESGCM(key.unwrap(wrapped, b"")).decrypt(
        unb64u(jwe["iv"]), sent, f"{jwe['protected']}.{jwe['aad']}".encode()
    )
    assert plain.startswith(b"You can trust us")


KEYS = [opening_key(str(n)) for n in range(64)]


@given(size=st.integers(1, 65_536), count=st.integers(1, 64), data=st.data())
@settings(max_examples=40)
def test_every_recipient_opens_what_was_sealed(size: int, count: int, data: st.DataObject) -> None:
    """Of any length and for any number; the length outside is a power of two, and all fits its bounds."""
    inner = data.draw(st.randoms(use_true_random=False)).randbytes(size - 1) + b"}"
    jwe = seal(inner, [key.public for key in KEYS[:count]], HERE, random.Random(size).randbytes)
    assert len(jwe) <= MAX_JWE_CHARS
    reader = KEYS[data.draw(st.integers(0, count - 1))]
    assert open_sealed(jwe, [KEYS[-1], reader] if count < 64 else [reader], HERE) == inner
    found = len(read_jwe(jwe, HERE).ciphertext)
    assert found == padded_size(size)
    assert found.bit_count() == 1


def test_the_largest_for_the_most_fits() -> None:
    """65 536 bytes for 64 recipients are one bulletin."""
    assert len(sealed(tuple(map(str, range(64))), b"{" * 65_536)) <= MAX_JWE_CHARS


@pytest.mark.parametrize(
    ("names", "inner", "reason"),
    [
        (NAMES, b"{" * 65_537, "too-large"),
        (tuple(map(str, range(65))), INNER, "too-large"),
        ((), INNER, "malformed-seal"),
        (("a", "a"), INNER, "malformed-seal"),
        (NAMES, b"", "malformed-seal"),
        (NAMES, b"{} ", "malformed-seal"),
    ],
)
def test_what_cannot_be_sealed_is_refused(names: tuple[str, ...], inner: bytes, reason: str) -> None:
    """Bounds hold before anything is encrypted."""
    with pytest.raises(SealError) as refused:
        sealed(names, inner)
    assert refused.value.reason == reason


def changed(**members: object) -> Callable[[Jwe], Jwe]:
    """Members replaced."""
    return lambda jwe: {**jwe, **members}


def header(**members: object) -> Callable[[Jwe], Jwe]:
    """Members of the protected header replaced; None leaves one out."""

    def work(jwe: Jwe) -> Jwe:
        made = {name: value for name, value in {**protected_of(jwe), **members}.items() if value is not None}
        return {**jwe, "protected": b64u(json.dumps(made).encode())}

    return work


def recipient(place: int, **members: object) -> Callable[[Jwe], Jwe]:
    """Members of one recipient replaced, those of its header too."""

    def work(jwe: Jwe) -> Jwe:
        each = jwe["recipients"][place]
        outer = {name: value for name, value in members.items() if name in ("encrypted_key", "extra")}
        inner = {name: value for name, value in members.items() if name not in outer}
        made = {**each, **outer, "header": {**each["header"], **inner}}
        rest = list(jwe["recipients"])
        rest[place] = made
        return {**jwe, "recipients": rest}

    return work


def recipients(work: Callable[[list[Jwe]], list[Jwe]]) -> Callable[[Jwe], Jwe]:
    """The list of recipients replaced."""
    return lambda jwe: {**jwe, "recipients": work(list(jwe["recipients"]))}


def flipped(name: str, place: int) -> Callable[[Jwe], Jwe]:
    """One bit of a binary member."""

    def work(jwe: Jwe) -> Jwe:
        raw = bytearray(unb64u(jwe[name]))
        raw[place] ^= 1
        return {**jwe, name: b64u(bytes(raw))}

    return work


def flipped_key(member: str, place: int) -> Callable[[Jwe], Jwe]:
    """One bit of what the first recipient's key is wrapped in."""

    def work(jwe: Jwe) -> Jwe:
        each = jwe["recipients"][0]
        raw = bytearray(unb64u(each["header"]["ek"] if member == "ek" else each["encrypted_key"]))
        raw[place] ^= 1
        return recipient(0, **{member: b64u(bytes(raw))})(jwe)

    return work


STRANGER = "stranger"
OTHER = json.loads(sealed(("x", "y")))
MANY = [{"header": {"kid": b64u(n.to_bytes(32)), "ek": "AA"}, "encrypted_key": "AA"} for n in range(10_000)]

HOSTILE: dict[str, tuple[Callable[[Jwe], Jwe], str]] = {
    "zip": (header(zip="DEF"), "malformed-seal"),
    "crit": (header(crit=["exp"]), "malformed-seal"),
    "a key beside its id": (header(jwk={"kty": "OKP"}), "malformed-seal"),
    "a recipient with an algorithm of its own": (recipient(1, alg="HPKE-3-KE"), "malformed-seal"),
    "a recipient with ECDH": (recipient(1, alg="ECDH-ES+A256KW", epk={"kty": "OKP"}), "malformed-seal"),
    "no post-quantum key management": (header(alg="HPKE-3-KE"), "unsupported-seal"),
    "the direct variant": (header(alg="HPKE-9"), "unsupported-seal"),
    "dir": (header(alg="dir"), "unsupported-seal"),
    "none": (header(alg="none"), "unsupported-seal"),
    "another content encryption": (header(enc="A128GCM"), "unsupported-seal"),
    "another version": (header(typ="vnd.tocsin.sealed.3"), "unsupported-seal"),
    "another content": (header(cty="text/html"), "unsupported-seal"),
    "no commitment": (header(cek_s256=None), "malformed-seal"),
    "another commitment": (header(cek_s256="A" * 43), "wrong-commitment"),
    "the header spelled otherwise": (header(), "damaged-seal"),
    "unprotected members": (changed(unprotected={"alg": "dir"}), "malformed-seal"),
    "additional data": (changed(aad="AAAA"), "malformed-seal"),
    "a flattened key beside": (changed(encrypted_key="AAAA"), "malformed-seal"),
    "an unknown member of a recipient": (recipient(0, extra=1), "malformed-seal"),
    "an unknown member of its header": (recipient(0, x=1), "malformed-seal"),
    "protected is no JSON": (changed(protected=b64u(b"{")), "malformed-seal"),
    "protected is an array": (changed(protected=b64u(b"[]")), "malformed-seal"),
    "padding in base64": (changed(tag="AAAAAAAAAAAAAAAAAAAAAA=="), "malformed-seal"),
    "stray bits in base64": (changed(tag="A" * 21 + "B"), "malformed-seal"),
    "the other alphabet": (changed(iv="++++++++++++++++"), "malformed-seal"),
    "a short nonce": (changed(iv="AAAA"), "malformed-seal"),
    "a short tag": (changed(tag="AAAA"), "malformed-seal"),
    "a short encapsulation": (recipient(0, ek="AAAA"), "malformed-seal"),
    "a long wrapped key": (recipient(0, encrypted_key="A" * 80), "malformed-seal"),
    "an id that is none": (recipient(0, kid="../../dev/null"), "malformed-seal"),
    "nothing inside": (changed(ciphertext=""), "malformed-seal"),
    "an odd length": (changed(ciphertext=b64u(bytes(1025))), "malformed-seal"),
    "more than may be inside": (changed(ciphertext=b64u(bytes(131_072))), "too-large"),
    "no recipient": (recipients(lambda _: []), "malformed-seal"),
    "the recipients no list": (changed(recipients={}), "malformed-seal"),
    "one recipient twice": (recipients(lambda r: [*r, r[0]]), "malformed-seal"),
    "65 recipients": (recipients(lambda r: [*r, *MANY[:62]]), "too-large"),
    "ten thousand recipients": (recipients(lambda r: [*r, *MANY]), "too-large"),
    "a recipient taken away": (recipients(lambda r: r[:2]), "wrong-context"),
    "a recipient added": (recipients(lambda r: [*r, OTHER["recipients"][0]]), "wrong-context"),
    "a recipient replaced": (
        recipients(lambda r: [r[0], r[1], OTHER["recipients"][0]]),
        "wrong-context",
    ),
    "two keys exchanged": (
        recipients(lambda r: [{**r[0], "header": r[1]["header"]}, {**r[1], "header": r[0]["header"]}, r[2]]),
        "wrong-context",
    ),
    "mine renamed": (recipient(0, kid="A" * 43), "not-a-recipient"),
    "not a recipient at all": (lambda _: OTHER, "not-a-recipient"),
    "the content of another": (
        changed(ciphertext=OTHER["ciphertext"], tag=OTHER["tag"], iv=OTHER["iv"]),
        "damaged-seal",
    ),
    "a bit of the content, first": (flipped("ciphertext", 0), "damaged-seal"),
    "a bit of the content, last": (flipped("ciphertext", -1), "damaged-seal"),
    "a bit of the tag": (flipped("tag", 7), "damaged-seal"),
    "a bit of the nonce": (flipped("iv", 3), "damaged-seal"),
    "a bit of the lattice part": (flipped_key("ek", 0), "wrong-context"),
    "a bit of the curve part": (flipped_key("ek", -3), "wrong-context"),
    "a bit of the wrapped key": (flipped_key("encrypted_key", 0), "wrong-context"),
    "a bit of the wrapped key's tag": (flipped_key("encrypted_key", -1), "wrong-context"),
}


@pytest.mark.parametrize(("change", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_changed_seal_does_not_open(change: Callable[[Jwe], Jwe], reason: str) -> None:
    """Whoever changed it, and wherever."""
    with pytest.raises(SealError) as refused:
        open_sealed(json.dumps(change(json.loads(sealed()))), [opening_key("a")], HERE)
    assert refused.value.reason == reason


TEXTS: dict[str, tuple[str, str]] = {
    "empty": ("", "malformed-seal"),
    "no JSON": ("seal", "malformed-seal"),
    "a lone surrogate": ('{"protected":"\ud800"}', "malformed-seal"),
    "compact": ("a.b.c.d.e", "malformed-seal"),
    "an array": ("[]", "malformed-seal"),
    "a member twice": (sealed()[:-1] + ',"iv":"AAAA"}', "malformed-seal"),
    "a member twice, escaped": (sealed()[:-1] + ',"\\u0069v":"AAAA"}', "malformed-seal"),
    "deep": ('{"a":' * 5000 + "{}" + "}" * 5000, "malformed-seal"),
    "white space around": (sealed() + "\n", "malformed-seal"),
    "very long": ("{" + " " * MAX_JWE_CHARS + "}", "too-large"),
}


@pytest.mark.parametrize(("text", "reason"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_seal_is_refused(text: str, reason: str) -> None:
    """One reason and never another exception."""
    with pytest.raises(SealError) as refused:
        open_sealed(text, [opening_key("a")], HERE)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "elsewhere",
    [
        SealContext(domain=HERE.domain, issuer="xb-csirt", channel=HERE.channel, id=HERE.id),
        SealContext(
            domain=HERE.domain, issuer=HERE.issuer, channel="xa-csirt/actual.red.eu-dpas", id=HERE.id
        ),
        SealContext(domain=HERE.domain, issuer=HERE.issuer, channel=HERE.channel, id=HERE.id[:-1] + "2"),
    ],
)
def test_a_seal_opens_only_where_it_belongs(elsewhere: SealContext) -> None:
    """Moved under another issuer, channel or bulletin it stays shut."""
    with pytest.raises(SealError) as refused:
        open_sealed(sealed(), [opening_key("a")], elsewhere)
    assert refused.value.reason == "wrong-context"


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=150)
def test_any_changed_byte_of_the_text_is_refused(place: int, change: int) -> None:
    """No byte of a seal is without meaning; only SealError comes."""
    raw = bytearray(SEALED.encode())
    raw[place % len(raw)] ^= change
    with pytest.raises(SealError):
        open_sealed(raw.decode("latin-1"), [opening_key("a")], HERE)


SEALED = sealed(("a",))


def test_two_readers_never_read_two_texts() -> None:
    """An insider who wraps another content key for one of them breaks the promise that all of them check."""
    first, second = b"\x01" * 32, b"\x02" * 32
    keys = [opening_key("a"), opening_key("b")]
    extra = binding(HERE, tuple(key.kid for key in keys))
    jwe = json.loads(sealed(("a", "b")))
    for promised in (first, second):
        protected = b64u(json.dumps({**protected_of(jwe), "cek_s256": commitment(promised)}).encode())
        sent = AESGCM(promised).encrypt(b"n" * 12, pad(INNER), protected.encode())
        wrapped = [key.public.wrap(each, extra) for key, each in zip(keys, (first, second), strict=True)]
        made = {
            **jwe,
            "protected": protected,
            "iv": b64u(b"n" * 12),
            "ciphertext": b64u(sent[:-16]),
            "tag": b64u(sent[-16:]),
            "recipients": [
                {"header": {"kid": each.kid, "ek": b64u(each.ek)}, "encrypted_key": b64u(each.encrypted_key)}
                for each in wrapped
            ],
        }
        promised_to, other = keys if promised is first else reversed(keys)
        assert open_sealed(json.dumps(made), [promised_to], HERE) == INNER
        with pytest.raises(SealError) as refused:
            open_sealed(json.dumps(made), [other], HERE)
        assert refused.value.reason == "wrong-commitment"


def test_one_context_has_one_encoding() -> None:
    """Text moved from one field to the next, or the kids in another order, do or do not change the binding."""
    kids = ("k" * 43, "l" * 43)
    assert binding(HERE, kids) == binding(HERE, kids[::-1])
    others = [
        (SealContext(domain=HERE.domain, issuer="xa", channel="-csirt" + HERE.channel, id=HERE.id), kids),
        (
            SealContext(domain=HERE.domain, issuer=HERE.issuer, channel=HERE.channel, id=HERE.id + kids[0]),
            kids[1:],
        ),
        (HERE, kids[:1]),
        (HERE, ("".join(kids),)),
    ]
    assert len({binding(HERE, kids), *(binding(*each) for each in others)}) == 5


def test_padding_has_one_form() -> None:
    """Padded otherwise is refused, although it would read the same."""
    assert [padded_size(n) for n in (1, 1024, 1025, 2049, 65_536)] == [1024, 1024, 2048, 4096, 65_536]
    for padded in (b"{}" + b" " * 2046, b" " * 1024, b"", b"{}", b"{}" + bytes(1022) + b"x"):
        with pytest.raises(EnvelopeError) as refused:
            unpad(padded)
        assert refused.value.reason == "malformed-seal"
    assert unpad(pad(INNER)) == INNER
    assert seal_header(bytes(32), HERE).cek_s256 == commitment(bytes(32))


GOOD = unb64u(opening_key("a").public.jwk["pub"])
PUBLIC: dict[str, tuple[dict[str, str], str]] = {
    "a signing key": ({"kty": "OKP", "crv": "Ed25519", "x": b64u(bytes(32))}, "unsupported-key"),
    "another algorithm": ({"kty": "AKP", "alg": "HPKE-9", "pub": b64u(GOOD)}, "unsupported-key"),
    "nothing": ({"kty": "AKP", "alg": "HPKE-9-KE", "pub": ""}, "unsupported-key"),
    "no base64": ({"kty": "AKP", "alg": "HPKE-9-KE", "pub": "="}, "unsupported-key"),
    "no member": ({"kty": "AKP", "alg": "HPKE-9-KE"}, "unsupported-key"),
    "too short": ({"kty": "AKP", "alg": "HPKE-9-KE", "pub": b64u(GOOD[:-1])}, "unsupported-key"),
    "too long": ({"kty": "AKP", "alg": "HPKE-9-KE", "pub": b64u(GOOD + b"x")}, "unsupported-key"),
    "beyond the modulus": (
        {"kty": "AKP", "alg": "HPKE-9-KE", "pub": b64u(b"\xff" * 1184 + GOOD[1184:])},
        "unsupported-key",
    ),
    **{
        f"small order {name}": (
            {"kty": "AKP", "alg": "HPKE-9-KE", "pub": b64u(GOOD[:1184] + point)},
            "weak-key",
        )
        for name, point in {
            "0": bytes(32),
            "1": (1).to_bytes(32, "little"),
            "p": (2**255 - 19).to_bytes(32, "little"),
            "p-1": (2**255 - 20).to_bytes(32, "little"),
            "8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        }.items()
    },
}


@pytest.mark.parametrize(("jwk", "reason"), PUBLIC.values(), ids=PUBLIC)
def test_a_public_key_that_is_none_is_refused(jwk: dict[str, str], reason: str) -> None:
    """Before anybody seals to it."""
    with pytest.raises(TrustError) as refused:
        SealKey.from_jwk(jwk)
    assert refused.value.reason == reason


def test_a_seed_has_one_length() -> None:
    """32 bytes."""
    with pytest.raises(TrustError):
        OpeningKey(bytes(31))
