"""Cases of opening seals. Encapsulation is random, so what was sealed once is kept in `sealed_base.json`.

`python -m tests.vectors.sealed_cases` seals anew, with the same public seeds; everything else follows from that file.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bus.keys.hpke import OpeningKey, seal
from schemas.codec import digest, encode
from schemas.envelope import TYP_SEALED_BULLETIN, b64u, unb64u, write_signed
from schemas.jwe import SealContext, binding, commitment, pad
from tests.vectors.scene import DOMAIN, KEY, example, signed

BASE = Path(__file__).with_name("sealed_base.json")
SEEDS = (bytes([201]) * 32, bytes([202]) * 32, bytes([203]) * 32)
CONTEXT = SealContext(
    domain=DOMAIN,
    issuer="xa-csirt",
    channel="xa-csirt/actual.green.community",
    id="0196fe2f-9be0-7000-8000-000000000001",
)
NOTES = {
    "Good": "opens to the signed file with this digest",
    "Form": "one closed form: members, encodings, bounds, padding",
    "Algorithm": "one version, one key management, one content encryption",
    "Domain": "sealed in one federation",
    "Context": "bound to its outer bulletin and to all recipients",
    "Commitment": "one content key for all recipients",
    "Damage": "changed on the way",
    "Recipient": "not for this reader",
}
Jwe = dict[str, Any]


def make_base() -> dict[str, str]:
    """Seal once: for this context, for another one, and two texts in one seal."""
    keys = [OpeningKey(seed) for seed in SEEDS[:2]]
    public = [key.public for key in keys]
    rng = random.Random(7).randbytes
    payload = encode(example())
    inner = write_signed(payload, signed(payload, KEY, typ=TYP_SEALED_BULLETIN))
    elsewhere = msgspec.structs.replace(CONTEXT, issuer="xb-csirt")
    abroad = msgspec.structs.replace(CONTEXT, domain="elsewhere")
    two = json.loads(seal(inner, public, CONTEXT, rng))
    extra = binding(CONTEXT, tuple(key.kid for key in public))
    mine, promised = bytes([1]) * 32, bytes([2]) * 32
    header = {**json.loads(unb64u(two["protected"])), "cek_s256": commitment(promised)}
    two["protected"] = b64u(json.dumps(header, separators=(",", ":")).encode())
    sent = AESGCM(promised).encrypt(unb64u(two["iv"]), pad(inner), two["protected"].encode())
    two.update(ciphertext=b64u(sent[:-16]), tag=b64u(sent[-16:]))
    for recipient, key, each in zip(two["recipients"], public, (mine, promised), strict=True):
        wrapped = key.wrap(each, extra)
        recipient["header"]["ek"] = b64u(wrapped.ek)
        recipient["encrypted_key"] = b64u(wrapped.encrypted_key)
    return {
        "good": seal(inner, public, CONTEXT, rng),
        "elsewhere": seal(inner, public, elsewhere, rng),
        "abroad": seal(inner, public, abroad, rng),
        "two_texts": json.dumps(two, separators=(",", ":")),
        "stranger": seal(inner, [OpeningKey(SEEDS[2]).public], CONTEXT, rng),
        "digest": digest(inner),
    }


def _text(jwe: Jwe) -> str:
    return json.dumps(jwe, separators=(",", ":"))


def _header(jwe: Jwe, **members: object) -> str:
    made = {**json.loads(unb64u(jwe["protected"])), **members}
    made = {name: value for name, value in made.items() if value is not None}
    return _text({**jwe, "protected": b64u(json.dumps(made, separators=(",", ":")).encode())})


def _renamed(text: str) -> str:
    """A seal of another federation, its header as if it were of this one."""
    return _header(json.loads(text), domain=DOMAIN)


def _flip(text: str, place: int) -> str:
    raw = bytearray(unb64u(text))
    raw[place] ^= 1
    return b64u(bytes(raw))


def _edit(jwe: Jwe, work: Callable[[Jwe], object]) -> str:
    made = copy.deepcopy(jwe)
    work(made)
    return _text(made)


def _cases(base: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Comment, flag, reason and text of each."""
    good: Jwe = json.loads(base["good"])
    first = good["recipients"][0]
    return [
        ("sealed to two", "Good", "", base["good"]),
        ("zip", "Form", "malformed-seal", _header(good, zip="DEF")),
        (
            "a weaker recipient",
            "Form",
            "malformed-seal",
            _edit(good, lambda j: j["recipients"][1]["header"].update(alg="ECDH-ES+A256KW")),
        ),
        ("unprotected members", "Form", "malformed-seal", _text({**good, "unprotected": {}})),
        ("additional data", "Form", "malformed-seal", _text({**good, "aad": "AAAA"})),
        ("no recipient", "Form", "malformed-seal", _text({**good, "recipients": []})),
        (
            "a recipient twice",
            "Form",
            "malformed-seal",
            _text({**good, "recipients": [*good["recipients"], first]}),
        ),
        ("padding in base64url", "Form", "malformed-seal", _text({**good, "tag": good["tag"] + "=="})),
        (
            "a length that is no power of two",
            "Form",
            "malformed-seal",
            _text({**good, "ciphertext": b64u(bytes(1025))}),
        ),
        ("a member twice", "Form", "malformed-seal", base["good"][:-1] + ',"iv":"AAAA"}'),
        ("the direct variant of HPKE", "Algorithm", "unsupported-seal", _header(good, alg="HPKE-9")),
        ("without ML-KEM", "Algorithm", "unsupported-seal", _header(good, alg="HPKE-3-KE")),
        ("another version", "Algorithm", "unsupported-seal", _header(good, typ="vnd.tocsin.sealed.3")),
        ("the version before", "Algorithm", "unsupported-seal", _header(good, typ="vnd.tocsin.sealed.1")),
        ("the type of a section", "Algorithm", "unsupported-seal", _header(good, typ="vnd.tocsin.section.2")),
        ("sealed in another domain", "Domain", "wrong-domain", base["abroad"]),
        ("of another domain, renamed", "Domain", "wrong-context", _renamed(base["abroad"])),
        ("another domain in the header", "Domain", "wrong-domain", _header(good, domain="elsewhere")),
        ("no domain", "Domain", "malformed-seal", _header(good, domain=None)),
        ("an empty domain", "Domain", "malformed-seal", _header(good, domain="")),
        ("the domain in another case", "Domain", "malformed-seal", _header(good, domain="Vectors")),
        ("a domain that is no text", "Domain", "malformed-seal", _header(good, domain=["vectors"])),
        ("another content encryption", "Algorithm", "unsupported-seal", _header(good, enc="A128GCM")),
        ("sealed under another issuer", "Context", "wrong-context", base["elsewhere"]),
        (
            "a recipient taken away",
            "Context",
            "wrong-context",
            _text({**good, "recipients": good["recipients"][:1]}),
        ),
        (
            "a recipient added",
            "Context",
            "wrong-context",
            _text(
                {**good, "recipients": [*good["recipients"], json.loads(base["stranger"])["recipients"][0]]}
            ),
        ),
        ("a key of another text for this reader", "Commitment", "wrong-commitment", base["two_texts"]),
        ("the commitment exchanged", "Commitment", "wrong-commitment", _header(good, cek_s256="A" * 43)),
        (
            "a bit of the encapsulation",
            "Damage",
            "wrong-context",
            _edit(good, lambda j: j["recipients"][0]["header"].update(ek=_flip(first["header"]["ek"], 9))),
        ),
        (
            "a bit of the content",
            "Damage",
            "damaged-seal",
            _text({**good, "ciphertext": _flip(good["ciphertext"], 0)}),
        ),
        ("a bit of the tag", "Damage", "damaged-seal", _text({**good, "tag": _flip(good["tag"], 0)})),
        ("sealed to somebody else", "Recipient", "not-a-recipient", base["stranger"]),
    ]


def group() -> dict[str, Any]:
    """All cases, for the reader with the first seed."""
    base: dict[str, str] = json.loads(BASE.read_text("utf-8"))
    return {
        "type": "Unseal",
        "seed": b64u(SEEDS[0]),
        "context": {
            "domain": CONTEXT.domain,
            "issuer": CONTEXT.issuer,
            "channel": CONTEXT.channel,
            "id": CONTEXT.id,
        },
        "tests": [
            {
                "tcId": n,
                "comment": comment,
                "flags": [flag],
                "result": "invalid" if reason else "valid",
                "reason": reason,
                "input": text,
                **({} if reason else {"digest": base["digest"]}),
            }
            for n, (comment, flag, reason, text) in enumerate(_cases(base), 1)
        ],
    }


if __name__ == "__main__":
    BASE.write_text(json.dumps(make_base(), indent=1) + "\n", "utf-8")
