"""Cases of opening sections. Encapsulation is random, so what was sealed once is kept in `section_base.json`.

`python -m tests.vectors.section_cases` seals anew, with the same public seeds; everything else follows from that file.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from bus.keys.hpke import OpeningKey, seal
from bus.sealing.opening import context_of
from bus.trust import ceremony
from schemas.bulletin import Bulletin
from schemas.codec import digest, encode, encode_time
from schemas.envelope import b64u, unb64u
from schemas.parts import Info, Observable, PersonalData, SealedSection
from schemas.registry import Audience, PublishGrant, Registry, SealKeyRecord
from schemas.scalars import Part
from schemas.sections import SECTION_SPEC, SectionContent
from schemas.vocab import PersonalFlag, Scope, Status, Tlp
from tests.vectors.scene import DAY, DOMAIN, ISSUED, NOW, ROOTS, example, registry

BASE = Path(__file__).with_name("section_base.json")
READER, OTHER, STRANGER = (OpeningKey(bytes([n]) * 32) for n in (211, 212, 213))
NAMES = ("xa-emb", "xb-csirt")
NOTES = {
    "Good": "opens to the content with this digest",
    "Place": "bound to its bulletin, its place there, its label and all recipients",
    "Outside": "recipients, label and digest outside are those of what is sealed",
    "Seal": "one closed form of its own type, and undamaged",
    "Content": "a closed content, without a section or a bulletin in it",
    "Rules": "judged with its bulletin: marking, grant, rules",
    "Recipient": "not for this reader",
}


@cache
def section_registry() -> bytes:
    """The vectors' registry with a narrower audience, and seal keys of its two readers."""
    document = msgspec.json.decode(unb64u(json.loads(registry())["payload"]), type=Registry)
    said = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN, Tlp.AMBER), audiences=("few",), kinds=("*",), areas=("*",)
    )
    authorities = dict(document.authorities)
    issuer = authorities["xa-csirt"]
    authorities["xa-csirt"] = msgspec.structs.replace(issuer, publish=(*issuer.publish, said))
    for name, key in zip(NAMES, (READER, OTHER), strict=True):
        record = SealKeyRecord(
            alg="HPKE-9-KE", jwk=key.public.jwk, not_before=ISSUED - 30 * DAY, not_after=ISSUED + 30 * DAY
        )
        authorities[name] = msgspec.structs.replace(authorities[name], seal_keys={key.kid: record})
    audience = Audience(scope=Scope.UNION, members=("xa-csirt", *NAMES))
    raw = ceremony.unsigned(
        msgspec.structs.replace(
            document, authorities=authorities, audiences={**document.audiences, "few": audience}
        )
    )
    for root in ROOTS[:2]:
        raw = ceremony.sign_registry(raw, root)
    return raw


def content(**changes: Any) -> SectionContent:
    """What is in the good section."""
    fields: dict[str, Any] = {
        "label": "indicators",
        "audience": "few",
        "tlp": Tlp.AMBER,
        "info": (Info(lang="en", headline="Where it comes from", summary="One provider, two hosts."),),
        "observables": (Observable(type="ip-address", personal=PersonalFlag.NONE, value="192.0.2.77"),),
        "spec": SECTION_SPEC,
        "salt": b64u(bytes(range(32))),
    }
    return SectionContent(**{**fields, **changes})


def _personal(flag: PersonalFlag, **changes: Any) -> SectionContent:
    seen = Observable(type="person-name", personal=flag, value_hmac="a" * 64, key_id="k1")
    return content(observables=(msgspec.structs.replace(seen, **changes),))


def _contents() -> dict[str, tuple[bytes, str, str, str]]:
    """Bytes that were sealed as a section; comment, flag and reason."""
    good = encode(content())
    basis = PersonalData(
        flag=PersonalFlag.SPECIAL_CATEGORY,
        lawful_basis="celex:32016R0679#9.2.g",
        purpose="protection of voters",
        retention_until=ISSUED.date(),
    )
    special = msgspec.structs.replace(_personal(PersonalFlag.SPECIAL_CATEGORY), personal_data=basis)
    clear = msgspec.structs.replace(
        _personal(PersonalFlag.PERSONAL, value="in clear"),
        personal_data=msgspec.structs.replace(basis, flag=PersonalFlag.PERSONAL),
    )
    made: dict[str, tuple[bytes | Part, str, str]] = {
        "a section inside": (good[:-1] + b',"sections":[]}', "Content", "schema"),
        "a bulletin inside": (example(), "Content", "schema"),
        "without a salt": (
            good.replace(b',"salt":"' + b64u(bytes(range(32))).encode() + b'"', b""),
            "Content",
            "schema",
        ),
        "another spec": (good.replace(b"tocsin-section/1", b"tocsin-section/2"), "Content", "schema"),
        "a member twice": (good[:-1] + b',"label":"indicators"}', "Content", "duplicate-member"),
        "a space after it that is no padding": (good + b"\n", "Content", "malformed-payload"),
        "another label inside": (content(label="legal"), "Outside", "section-label"),
        "a wider marking than the bulletin's": (content(tlp=Tlp.CLEAR), "Rules", "section-tlp"),
        "a marking without a grant": (content(tlp=Tlp.RED), "Rules", "not-permitted"),
        "an audience without a grant": (content(audience="xb-emb"), "Rules", "not-permitted"),
        "personal data without a statement": (_personal(PersonalFlag.PERSONAL), "Rules", "rule:R6"),
        "special categories below amber+strict": (special, "Rules", "rule:R8"),
        "a value in clear and as a hash": (clear, "Rules", "rule:R9"),
        "two blocks of words in one language": (content(info=content().info * 2), "Rules", "rule:R15"),
    }
    return {
        comment: (raw if isinstance(raw, bytes) else encode(raw), comment, flag, reason)
        for comment, (raw, flag, reason) in made.items()
    }


def outer() -> Bulletin:
    """The bulletin that carries sections, without them."""
    return example()


def make_base() -> dict[str, Any]:
    """Seal once: two good sections, each other content in the first place, and what belongs elsewhere."""
    rng = random.Random(9).randbytes
    public = [READER.public, OTHER.public]
    made, good = outer(), encode(content())
    first, second = context_of(made, DOMAIN, 0, "indicators"), context_of(made, DOMAIN, 1, "legal")
    elsewhere = context_of(msgspec.structs.replace(made, id=made.id[:-1] + "2"), DOMAIN, 0, "indicators")
    abroad = context_of(made, "elsewhere", 0, "indicators")
    return {
        "first": seal(good, public, first, rng),
        "second": seal(encode(content(label="legal", salt=b64u(bytes(32)))), public, second, rng),
        "elsewhere": seal(good, public, elsewhere, rng),
        "abroad": seal(good, public, abroad, rng),
        "whole": seal(good, public, context_of(made, DOMAIN), rng),
        "stranger": seal(good, [STRANGER.public], first, rng),
        "contents": {name: seal(raw, public, first, rng) for name, (raw, *_) in _contents().items()},
    }


def _bulletin(*parts: SealedSection) -> str:
    return encode(msgspec.structs.replace(outer(), sections=parts)).decode()


def _part(jwe: str, raw: bytes | None = None, **changes: Any) -> SealedSection:
    named = raw if raw is not None else encode(content())
    fields: dict[str, Any] = {
        "label": "indicators",
        "recipients": NAMES,
        "jwe": jwe,
        "inner_digest": digest(named),
    }
    return SealedSection(**{**fields, **changes})


def _edit(jwe: str, work: Callable[[dict[str, Any]], object]) -> str:
    made = copy.deepcopy(json.loads(jwe))
    work(made)
    return json.dumps(made, separators=(",", ":"))


def _header(jwe: str, **members: object) -> str:
    made = {**json.loads(unb64u(json.loads(jwe)["protected"])), **members}
    protected = b64u(json.dumps(made, separators=(",", ":")).encode())
    return _edit(jwe, lambda j: j.update(protected=protected))


def _flip(text: str) -> str:
    raw = bytearray(unb64u(text))
    raw[0] ^= 1
    return b64u(bytes(raw))


def _cases(base: dict[str, Any]) -> list[tuple[str, str, str, str, int]]:
    """Comment, flag, reason, bulletin and index of each."""
    first, second = base["first"], base["second"]
    legal = _part(second, encode(content(label="legal", salt=b64u(bytes(32)))), label="legal")
    ciphertext = {name: json.loads(second)[name] for name in ("iv", "ciphertext", "tag")}

    def alone(
        comment: str, flag: str, reason: str, jwe: str, raw: bytes | None = None, **changes: Any
    ) -> tuple[str, str, str, str, int]:
        return comment, flag, reason, _bulletin(_part(jwe, raw, **changes)), 0

    def fewer(j: dict[str, Any]) -> object:
        return j["recipients"].pop()

    return [
        alone("sealed to two", "Good", "", first),
        ("the second of two", "Good", "", _bulletin(_part(first), legal), 1),
        ("exchanged with another", "Place", "wrong-context", _bulletin(legal, _part(first)), 1),
        ("the one before it taken away", "Place", "wrong-context", _bulletin(legal), 0),
        alone("moved from another bulletin", "Place", "wrong-context", base["elsewhere"]),
        alone("another label outside", "Place", "wrong-context", first, label="legal"),
        alone("a recipient taken away", "Place", "wrong-context", _edit(first, fewer), recipients=NAMES[:1]),
        alone("a recipient taken away, still named", "Outside", "recipient-mismatch", _edit(first, fewer)),
        alone("recipients in another order", "Outside", "recipient-mismatch", first, recipients=NAMES[::-1]),
        alone("somebody else named", "Outside", "recipient-mismatch", first, recipients=(NAMES[0], "xb-emb")),
        alone("another digest outside", "Outside", "inner-digest", first, inner_digest="A" * 43),
        alone("the seal of a whole bulletin", "Seal", "unsupported-seal", base["whole"]),
        alone("another version", "Seal", "unsupported-seal", _header(first, typ="vnd.tocsin.section.3")),
        alone("sealed in another domain", "Place", "wrong-domain", base["abroad"]),
        alone("of another domain, renamed", "Place", "wrong-context", _header(base["abroad"], domain=DOMAIN)),
        alone("zip", "Seal", "malformed-seal", _header(first, zip="DEF")),
        alone("no seal", "Seal", "malformed-seal", "{}"),
        alone("the commitment exchanged", "Seal", "wrong-commitment", _header(first, cek_s256="A" * 43)),
        alone(
            "the ciphertext of another", "Seal", "damaged-seal", _edit(first, lambda j: j.update(ciphertext))
        ),
        alone(
            "a bit of the tag", "Seal", "damaged-seal", _edit(first, lambda j: j.update(tag=_flip(j["tag"])))
        ),
        alone(
            "more than 64 KiB inside",
            "Seal",
            "too-large",
            _edit(first, lambda j: j.update(ciphertext=b64u(bytes(65_537)))),
        ),
        alone(
            "sealed to somebody else",
            "Recipient",
            "not-a-recipient",
            base["stranger"],
            recipients=("xb-emb",),
        ),
        *(
            alone(comment, flag, reason, base["contents"][comment], raw)
            for raw, comment, flag, reason in _contents().values()
        ),
    ]


def group() -> dict[str, Any]:
    """All cases, for the reader with the first seed."""
    base: dict[str, Any] = json.loads(BASE.read_text("utf-8"))
    raw = section_registry()
    return {
        "type": "OpenSection",
        "now": encode_time(NOW),
        "registry": json.loads(raw),
        "pin": digest(unb64u(json.loads(raw)["payload"])),
        "seed": b64u(READER.seed),
        "tests": [
            {
                "tcId": n,
                "comment": comment,
                "flags": [flag],
                "result": "invalid" if reason else "valid",
                "reason": reason,
                "input": text,
                "index": index,
                **({} if reason else {"digest": json.loads(text)["sections"][index]["inner_digest"]}),
            }
            for n, (comment, flag, reason, text, index) in enumerate(_cases(base), 1)
        ],
    }


if __name__ == "__main__":
    BASE.write_text(json.dumps(make_base(), indent=1) + "\n", "utf-8")
