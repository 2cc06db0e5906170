"""Every place where bytes from outside enter: what reads them, its bound, and what is worst for it.

`covers` names the functions of the named modules that an entry stands for; a test fails when a new one is in no entry and
is not excused.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import msgspec

from adapters.formats.stix.patterns import MAX_PATTERN_CHARS, PatternError, read_pattern
from adapters.translation.markings import marks_in_words, read_mark, read_statement
from adapters.translation.persons import Persons
from adapters.translation.prose import carried, headline_of, link_of, nameless
from adapters.translation.reading import Losses, identifier, read_csv, safe_xml, slug, strict_json
from bus import toml
from bus.admission.contradiction import judge_proof
from bus.admission.plain_lane import judge
from bus.admission.steps import admit, verify_file, verify_inside
from bus.bundle import file as bundle
from bus.cli.frame.text import safe, safe_json
from bus.drafts import Speaker, look, told
from bus.keys import files, pbes2
from bus.keys.signatures import sign_entry
from bus.plugin import Format, ReadContext, discover, translate
from bus.transport.parser import HardenedParser
from bus.transport.pull_consumer import Received
from bus.transport.raw import RawHeaders, block_of
from bus.trust.registry import VerifiedRegistry
from bus.trust.store import trust_kind
from schemas import codec, envelope, jwe, subject
from schemas.bulletin import Defaults
from schemas.envelope import b64u, write_signed
from schemas.errors import TocsinError
from schemas.observables import classify, platform_of, refang, sighted, site_of
from schemas.parts import Authority
from schemas.registry import MAX_BEACON_BYTES, MAX_REGISTRY_BYTES, MAX_REVOKE_BYTES, Registry
from schemas.vocab import Domain, Pap, Tlp
from tests.linear import rows
from tests.linear.shapes import (
    Shape,
    csv_shapes,
    doubled,
    filled,
    json_shapes,
    listed,
    text_shapes,
    within,
    xml_shapes,
)
from tests.support.batches import in_a_batch
from tests.support.world import NOW, bulletin, shared_world
from tests.support.world import within as signed_for

KIB = 1024
MIB = 1024 * 1024
CONTEXT = ReadContext(received=NOW, adapter="tocsin-test", country="XA", tz="Europe/Brussels")
REFUSALS = (TocsinError, PatternError, ValueError, msgspec.MsgspecError, tomllib.TOMLDecodeError, IndexError)
"""How a document may end. Anything else is a fault of the reader, and the test fails with it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One way in.

    Attributes:
        name: what it is.
        limit: the most bytes, or rows, that it takes.
        read: what is done with the bytes, or with what `prepare` made of them; it may refuse them.
        shapes: hostile documents by name.
        covers: the functions of `MODULES` that it stands for.
        tested: bytes at which `make test` measures it, where that is not what is usual.
        price: how many times the cost of a plain pass over the same bytes is allowed (`tests.linear.measure.plain`).
        prepare: makes what is read, outside of the measurement.
    """

    name: str
    limit: int
    read: Callable[[Any], object]
    shapes: Mapping[str, Shape]
    covers: tuple[str, ...] = ()
    price: float = 20.0
    tested: int = 0
    prepare: Callable[[bytes], Any] = staticmethod(lambda raw: raw)


MOST_NAMES = 8 * 1024
"""Characters of a text that become names of persons."""
MODULES = (
    "schemas.codec",
    "schemas.envelope",
    "schemas.jwe",
    "schemas.subject",
    "adapters.translation.reading",
    "adapters.translation.markings",
    "schemas.observables",
    "adapters.translation.prose",
    "adapters.formats.stix.patterns",
    "bus.bundle.file",
    "bus.keys.pbes2",
    "bus.toml",
    "bus.drafts.looking",
    "bus.admission.steps",
    "bus.admission.plain_lane",
    "bus.admission.contradiction",
    "bus.cli.frame.text",
)
"""Where parsers are. Every function with `bytes` or `str` from outside in these is in an entry or excused."""
EXCUSED: Mapping[str, str] = {
    "schemas.codec.encode": "writes",
    "schemas.codec.encode_time": "writes",
    "schemas.codec.digest": "a hash",
    "schemas.codec.digest_text": "writes",
    "schemas.codec.time_names": "takes nothing",
    "schemas.codec.wire_types": "takes nothing",
    "schemas.envelope.b64u": "writes",
    "schemas.envelope.protected_for": "writes",
    "schemas.envelope.signing_input": "a copy",
    "schemas.envelope.batch_of": "writes",
    "schemas.envelope.head_of": "writes",
    "schemas.envelope.misplaced": "compares two words",
    "schemas.envelope.format_header": "writes",
    "schemas.envelope.write_signed": "writes",
    "schemas.envelope.write_contradiction": "writes",
    "schemas.envelope.comes_again": "one protected header, as parse_header reads it",
    "schemas.envelope.hints": "writes",
    "schemas.envelope.hint_lines": "writes",
    "schemas.envelope.hints_allowed": "writes",
    "schemas.jwe.binding": "a hash over at most 64 ids",
    "schemas.jwe.commitment": "a hash",
    "schemas.jwe.padded_size": "a number",
    "schemas.jwe.pad": "what is sealed here",
    "schemas.jwe.seal_header": "writes",
    "schemas.jwe.write_jwe": "writes",
    "schemas.subject.trust_subject": "writes",
    "schemas.subject.tlp_token": "a word of the vocabulary",
    "schemas.subject.tlp_from_token": "a look into a table",
    "schemas.subject.channel_of": "what is typed already",
    "schemas.subject.subject_for": "what is typed already",
    "schemas.subject.priority": "what is typed already",
    "schemas.subject.area_token": "at most 64 areas",
    "schemas.subject.hides": "two words of the vocabulary",
    "schemas.subject.beat_subject": "writes",
    "schemas.subject.expand": "a reader's own interest over its grants",
    "adapters.translation.reading.bound": "a length",
    "adapters.translation.reading.sha256_hex": "a hash",
    "adapters.translation.reading.told": "a look into a set",
    "adapters.translation.reading.version_of": "a pattern of at most 24 characters",
    "adapters.translation.reading.clip": "a slice",
    "adapters.translation.markings.strictest": "a maximum",
    "schemas.observables.refanged": "as `refang`, or nothing",
    "schemas.observables.holds_email": "in `sighted`, which bounds the value",
    "schemas.observables.platform_named": "a look into a table",
    "schemas.observables.personal_flag": "in `sighted`, which bounds the value",
    "adapters.translation.prose.number_of": "writes",
    "bus.bundle.file.trust_line": "writes",
    "bus.bundle.file.write": "writes",
    "bus.keys.pbes2.encrypt": "one's own key",
    "bus.keys.pbes2.element": "writes",
    "bus.keys.pbes2.sequence": "writes",
    "bus.keys.pbes2.octets": "writes",
    "bus.keys.pbes2.integer": "writes",
    "bus.keys.pbes2.oid": "writes",
    "bus.admission.steps.holds_place": "a word of the vocabulary",
    "bus.admission.steps.labels_of": "what is typed already",
    "bus.cli.frame.text.at": "a time",
    "bus.cli.frame.text.is_seen": "a letter",
    "bus.cli.frame.text.hint": "a word of the command line",
    "bus.cli.frame.text.on_terminal": "takes nothing",
    "bus.cli.frame.text.wrapped": "one line of a rendering, whose texts the schema bounds",
}


def entries() -> Iterator[Entry]:
    """All ways in."""
    yield from _codec()
    yield from _envelopes()
    yield from _trust()
    yield from _translation()
    yield from _formats()
    yield from _operator()
    yield from _rows()


# -- bulletins ------------------------------------------------------------------------------------------------------


@cache
def _bulletin_bytes() -> bytes:
    return codec.encode(bulletin(shared_world()))


def _bulletin_shapes() -> Mapping[str, Shape]:
    """Objects of any kind, and members within a real bulletin."""
    # The space keeps a bulletin that stands off the short way, on which no gate is needed.
    head = _bulletin_bytes()[:-1] + b" ,"
    lists = head + b'"observables":['
    seen = b'{"type":"url","personal":"none","value":"https://a.example"}'
    area = b'{"scope":"country","country":"XB"}'
    return {
        **json_shapes(),
        **{f"{name}, in a bulletin": shape for name, shape in json_shapes(head).items()},
        "observables": filled(lists, seen + b",", seen + b"]}"),
        "areas": filled(head + b'"areas":[', area + b",", area + b"]}"),
        "a member twice in an observable": doubled(lists + b"{", b"}]}"),
        "times with an offset": filled(head + b'"labels":["', b':00"', b'"]}'),
    }


def _codec() -> Iterator[Entry]:
    shapes = _bulletin_shapes()
    yield Entry(
        name="a bulletin's payload",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=codec.decode,
        shapes=shapes,
        covers=(
            "schemas.codec.decode",
            "schemas.codec.decode_as",
            "schemas.codec.as_written",
            "schemas.codec.gate",
        ),
    )
    yield Entry(
        name="a draft",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=codec.decode_draft,
        shapes=json_shapes(),
        covers=("schemas.codec.decode_draft",),
    )
    yield Entry(
        name="a time",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=lambda raw: codec.parse_time(raw.decode()),
        shapes=text_shapes(),
        covers=("schemas.codec.parse_time",),
    )


# -- envelopes ------------------------------------------------------------------------------------------------------


def _signature(number: int, _: str) -> bytes:
    """A signature in a file, by a key of its own."""
    kid = b64u(number.to_bytes(32, "big"))
    header = envelope.protected_for("Ed25519", kid, signed_for())
    return f'{{"protected":"{header}","signature":"{"A" * 86}"}}'.encode()


def _compact(number: int, word: str) -> bytes:
    text = json.loads(_signature(number, word))
    return f"{text['protected']}..{text['signature']}".encode()


def _in_a_batch(payload: bytes) -> str:
    return envelope.format_header(in_a_batch(payload, shared_world().signers["xa-csirt"]))


def _file(payload: Shape) -> Shape:
    """A signed file with a payload that an authority has really signed."""

    def make(size: int) -> bytes:
        raw = payload(max(16, (size - 400) * 3 // 4))
        signer = shared_world().signers["xa-csirt"]
        return write_signed(raw, (sign_entry(signer, raw, signed_for()),))

    return make


def _file_shapes() -> Mapping[str, Shape]:
    signed = b'{"payload":"e30","signatures":['
    payload = b'{"payload":"'
    return {
        **json_shapes(),
        "signatures": listed(signed, _signature, b"]}"),
        "one signature": filled(signed, _signature(1, "") + b",", _signature(1, "") + b"]}"),
        "payload": filled(payload, b"QUJD", b'","signatures":[]}'),
        "a stray bit": filled(payload, b"QUJD", b'QR","signatures":[]}'),
        "another alphabet": filled(payload, b"QUJD", b'+","signatures":[]}'),
        "a protected header": filled(b'{"payload":"e30","signatures":[{"protected":"', b"e30g", b'","signature":"AA"}]}'),
        "white space around": lambda n: b" " * (n // 2) + b'{"payload":"e30","signatures":[]}' + b" " * (n // 2),
    }  # fmt: skip


def _jwe_shapes() -> Mapping[str, Shape]:
    header = b64u(
        json.dumps(
            {
                "alg": jwe.SEAL_ALG,
                "enc": jwe.SEAL_ENC,
                "typ": jwe.SEAL_TYP,
                "cty": jwe.SEAL_CTY,
                "cek_s256": "A" * 43,
            }
        ).encode()
    ).encode()
    before = b'{"protected":"' + header + b'","iv":"' + b"A" * 16 + b'","tag":"' + b"A" * 22 + b'",'

    def recipient(number: int, _: str) -> bytes:
        kid = b64u(number.to_bytes(32, "big"))
        return f'{{"header":{{"kid":"{kid}","ek":"{"A" * 1494}"}},"encrypted_key":"{"A" * 64}"}}'.encode()

    return {
        **json_shapes(),
        "recipients": listed(before + b'"ciphertext":"","recipients":[', recipient, b"]}"),
        "small recipients": filled(
            before + b'"ciphertext":"","recipients":[',
            b'{"header":{"kid":"","ek":""},"encrypted_key":""},',
            b"{}]}",
        ),
        "ciphertext": filled(before + b'"recipients":[],"ciphertext":"', b"AAAA", b'"}'),
    }


CONTEXT_OF_A_SEAL = jwe.SealContext(domain="test", issuer="xa-csirt", channel="actual.amber.xb-csirt", id="0")


def _admit(raw: bytes, header: str | None = None) -> object:
    world = shared_world()
    entry = sign_entry(world.signers["xa-csirt"], raw, signed_for())
    headers = {envelope.SIG_HEADER: envelope.format_header((entry,)) if header is None else header}
    return admit("tocsin.v1", headers, raw, registry=world.registry, now=NOW)


def _glance(raw: bytes, block: bytes | None = None) -> object:
    """Through the plain lane: bytes that are signed rightly, or any header block."""
    world = shared_world()
    if block is None:
        entry = sign_entry(world.signers["xa-csirt"], raw, signed_for())
        block = block_of([(envelope.SIG_HEADER, envelope.format_header((entry,)))])
    came = Received(
        subject="tocsin.v1", block=block, payload=raw, stream_seq=1, consumer_seq=1, stored_ns=1, pending=0
    )
    return judge("S", [came], world.registry, NOW)


def _admit_of_a_batch(raw: bytes) -> object:
    value = _in_a_batch(raw)
    return envelope.file_form(raw, value), _admit(raw, value)


def _inside(payload: Shape) -> Shape:
    """The file inside a sealed bulletin, which an authority has really signed."""

    def make(size: int) -> bytes:
        raw = payload(max(16, (size - 400) * 3 // 4))
        signer = shared_world().signers["xa-csirt"]
        return write_signed(raw, (sign_entry(signer, raw, signed_for(envelope.TYP_SEALED_BULLETIN)),))

    return make


def _claims(raw: bytes) -> object:
    file = envelope.read_claims(raw, max_bytes=MAX_REGISTRY_BYTES, unsigned=True)
    envelope.check_context(file.entries, signed_for())
    return file


def _envelopes() -> Iterator[Entry]:
    yield Entry(
        name="a signed bulletin as it comes",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=_admit,
        shapes=_bulletin_shapes(),
        covers=("bus.admission.steps.admit",),
    )
    yield Entry(
        name="a signed bulletin, at a glance",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=_glance,
        shapes=_bulletin_shapes(),
        covers=("bus.admission.plain_lane.judge",),
    )
    yield Entry(
        name="a header block, at a glance",
        limit=56 * KIB,
        read=lambda raw: _glance(b"{}", raw),
        shapes={
            "a signature that goes on": filled(b"NATS/1.0\r\nTocsin-Sig: ", b"A"),
            "dots": filled(b"NATS/1.0\r\nTocsin-Sig: ", b"."),
            "places of trees": filled(b"NATS/1.0\r\nTocsin-Sig: a.b.c", b"~0."),
            "signatures": filled(b"NATS/1.0\r\nTocsin-Sig: ", b"e30..AAAA,"),
            "lines": filled(b"NATS/1.0\r\nTocsin-Sig: a\r\n", b"b: c\r\n"),
        },
        price=60,
    )
    yield Entry(
        name="a bulletin signed in a batch",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=_admit_of_a_batch,
        shapes=_bulletin_shapes(),
        covers=("schemas.envelope.signed_bytes", "schemas.envelope.file_form"),
    )
    batched = _in_a_batch(b"").encode()
    yield Entry(
        name="a signature header",
        limit=envelope.MAX_HEADER_BYTES,
        read=lambda raw: envelope.parse_header(raw.decode(), signed_for()),
        shapes={
            **text_shapes(),
            "commas": filled(b"", b","),
            "signatures": listed(b"", _compact),
            "one signature": filled(b"", _compact(1, "") + b","),
            "a long header": filled(b"", b"e30g", b"..AA"),
            "a long signature": filled(b"e30..", b"AAAA"),
            "places in trees": filled(b"", batched + b","),
            "a long path": filled(batched, b"AAAA"),
            "a long place": filled(batched.rpartition(b".")[0], b"1", b"." + b"A" * 43),
        },
        covers=("schemas.envelope.parse_header",),
        price=60,
    )
    yield Entry(
        name="signature headers of two copies",
        limit=envelope.MAX_HEADER_BYTES,
        read=lambda raw: envelope.merge_headers(raw.decode(), raw.decode(), (), ()),
        shapes={
            **text_shapes(),
            "commas": filled(b"", b","),
            "signatures": listed(b"", _compact),
            "a long signature": filled(b"e30..", b"AAAA"),
        },
        covers=("schemas.envelope.merge_headers",),
        price=120,
    )
    yield Entry(
        name="headers of a message",
        limit=64 * KIB,
        read=lambda raw: RawHeaders(raw).pairs,
        shapes={
            **text_shapes(),
            "names": listed(b"NATS/1.0\r\n", lambda _, word: f"{word}: 1\r\n".encode(), b"\r\n", b""),
            "empty lines": filled(b"NATS/1.0", b"\r\n"),
            "colons": filled(b"NATS/1.0\r\n", b":\r\n"),
        },
    )
    yield Entry(
        name="base64url",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=lambda raw: envelope.unb64u(raw.decode()),
        shapes={**text_shapes(), "almost": filled(b"", b"QUJD", b"+")},
        covers=("schemas.envelope.unb64u",),
    )
    yield Entry(
        name="a signed file",
        limit=codec.MAX_PAYLOAD_BYTES * 4 // 3 + 64 * 16 * KIB,
        read=lambda raw: verify_file(raw, registry=shared_world().registry, now=NOW),
        shapes={
            **_file_shapes(),
            **{f"{name}, signed": _file(shape) for name, shape in _bulletin_shapes().items()},
        },
        covers=("schemas.envelope.read_signed", "bus.admission.steps.verify_file"),
    )
    yield Entry(
        name="a file inside a sealed bulletin",
        limit=codec.MAX_PAYLOAD_BYTES * 4 // 3 + 64 * 16 * KIB,
        read=lambda raw: verify_inside(raw, registry=shared_world().registry, now=NOW),
        shapes={
            **_file_shapes(),
            **{f"{name}, signed": _inside(shape) for name, shape in _bulletin_shapes().items()},
        },
        covers=("bus.admission.steps.verify_inside",),
    )
    yield Entry(
        name="a signed file of which it is not known what it is for",
        limit=MAX_REGISTRY_BYTES * 4 // 3,
        read=_claims,
        shapes=_file_shapes(),
        covers=("schemas.envelope.read_claims", "schemas.envelope.check_context"),
        price=40,
    )
    yield Entry(
        name="a proof of a contradiction",
        limit=2 * MIB,
        read=lambda raw: (
            envelope.is_contradiction(raw),
            envelope.read_contradiction(raw),
            judge_proof(raw, registry=shared_world().registry, now=NOW),
        ),
        shapes={
            **json_shapes(b'{"contradiction":[{', b"}]}"),
            **{
                f"twice {name}": within(shape, b'{"contradiction":[', b',{"payload":"e30","signatures":[]}]}')
                for name, shape in _file_shapes().items()
            },
        },
        covers=(
            "schemas.envelope.is_contradiction",
            "schemas.envelope.read_contradiction",
            "bus.admission.contradiction.judge_proof",
        ),
    )
    yield Entry(
        name="a seal",
        limit=jwe.MAX_JWE_CHARS,
        read=lambda raw: jwe.read_jwe(raw.decode(), CONTEXT_OF_A_SEAL),
        shapes=_jwe_shapes(),
        covers=("schemas.jwe.read_jwe",),
    )
    yield Entry(
        name="padding",
        limit=codec.MAX_SEALED_INNER_BYTES,
        read=jwe.unpad,
        shapes={
            "spaces": filled(b"{}", b" "),
            "spaces within": filled(b"{", b" ", b"}"),
            "nothing": filled(b"", b" "),
        },
        covers=("schemas.jwe.unpad",),
    )
    name = "tocsin.v1.actual.green.community.xa.csirt.cyber.cyber-threat.xa.none.p4"
    yield Entry(
        name="a subject",
        limit=bundle.MAX_SUBJECT_BYTES,
        read=lambda raw: (
            subject.said_on(raw.decode()),
            subject.matches(raw.decode(), name),
            subject.matches("tocsin.v1.*.>", raw.decode()),
            subject.parse(raw.decode()),
        ),
        shapes={**text_shapes(), "stars": filled(b"", b"*."), "twelve tokens": filled(name.encode(), b"p4")},
        covers=("schemas.subject.parse", "schemas.subject.matches", "schemas.subject.said_on"),
        price=60,
    )
    opening = codec.encode(bundle.Opening(domain="test", by="xa-hub", made=NOW)) + b"\n"
    yield Entry(
        name="a bundle",
        limit=bundle.MAX_LINE_BYTES,
        read=lambda raw: bundle.check(io.BytesIO(raw)),
        shapes={
            **{name: within(shape, opening, b"\n") for name, shape in json_shapes().items()},
            "payload": filled(
                opening + b'{"type":"bulletin","subject":"a","sig":"b","payload":"', b"QUJD", b'"}\n'
            ),
            "bulletins": filled(opening, b'{"type":"bulletin","subject":"a","sig":"b","payload":"e30"}\n'),
            "empty lines": filled(opening, b"\n"),
            "a registry": filled(opening + b'{"type":"registry","file":"', b'{\\"a\\":1}', b'"}\n'),
        },
        covers=("bus.bundle.file.read", "bus.bundle.file.check"),
    )


# -- trust ----------------------------------------------------------------------------------------------------------


def _trust() -> Iterator[Entry]:
    registry = shared_world().registry
    limits = {"a registry": MAX_REGISTRY_BYTES, "a beacon": MAX_BEACON_BYTES, "a statement": MAX_REVOKE_BYTES}
    reads: Mapping[str, Callable[[bytes], object]] = {
        "a registry": lambda raw: (trust_kind(raw), registry.update(raw, NOW)),
        "a beacon": lambda raw: registry.with_beacon(raw, NOW),
        "a statement": lambda raw: registry.with_revocation(raw, NOW),
    }
    typ = {
        "a registry": envelope.TYP_REGISTRY,
        "a beacon": envelope.TYP_BEACON,
        "a statement": envelope.TYP_REVOKE,
    }
    for name, limit in limits.items():
        yield Entry(
            name=f"{name}, unsigned",
            limit=limit * 4 // 3,
            read=reads[name],
            shapes=_file_shapes(),
            price=40,
        )
        signer = {"a registry": shared_world().roots[0], "a beacon": shared_world().beacon}.get(
            name, shared_world().signers["xa-csirt"]
        )

        def signed(shape: Shape, signer: Any = signer, typ: str = typ[name]) -> Shape:
            def make(size: int) -> bytes:
                raw = shape(max(16, (size - 400) * 3 // 4))
                return write_signed(raw, (sign_entry(signer, raw, signed_for(typ)),))

            return make

        yield Entry(
            name=f"{name}, signed by one who may",
            limit=limit * 4 // 3,
            read=reads[name],
            shapes={kind: signed(shape) for kind, shape in json_shapes().items()},
            price=40,
        )
    yield Entry(
        name="a registry's document",
        limit=MAX_REGISTRY_BYTES,
        read=lambda raw: VerifiedRegistry(
            document=codec.decode_as(Registry, raw, max_bytes=MAX_REGISTRY_BYTES),
            digest="",
            raw=b"",
            beacon=None,
        ),
        shapes={**json_shapes(), "members and grants": _registry_of_many},
        price=40,
    )


def _registry_of_many(size: int) -> bytes:
    """One audience with many members, and authorities that name it in many grants."""
    document = msgspec.to_builtins(shared_world().registry.document)
    count = max(4, size // 4_000)
    names = [f"xa-m{n:x}" for n in range(count)]
    template = next(iter(document["authorities"].values()))
    document["audiences"]["many"] = {"scope": "union", "members": names[:4096]}
    grant = {"statuses": ["actual"], "tlps": ["amber", "red"], "audiences": ["many"] * 32}
    for name in names:
        document["authorities"][name] = {
            **template,
            "keys": {},
            "nkeys": [],
            "seal_keys": {},
            "publish": [],
            "read": [grant] * 8,
        }
    return msgspec.json.encode(document)


# -- native documents -----------------------------------------------------------------------------------------------


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _translation() -> Iterator[Entry]:
    room = "adapters.translation"
    yield Entry(
        name="JSON of a native document",
        limit=32 * MIB,
        read=lambda raw: strict_json(raw, max_bytes=64 * MIB),
        shapes={
            **json_shapes(),
            "UTF-16": lambda n: json_shapes()["different names"](n // 2).decode().encode("utf-16"),
        },
        covers=(f"{room}.reading.strict_json", f"{room}.reading.decode_text"),
    )
    yield Entry(
        name="XML of a native document",
        limit=16 * MIB,
        read=lambda raw: safe_xml(raw, max_bytes=64 * MIB),
        shapes=xml_shapes(),
        covers=(f"{room}.reading.safe_xml",),
        price=60,
    )
    yield Entry(
        name="a table",
        limit=32 * MIB,
        read=lambda raw: read_csv(raw, max_bytes=64 * MIB, max_rows=500_000),
        shapes=csv_shapes(b"a,b,c\n", 3),
        covers=(f"{room}.reading.read_csv",),
    )
    words: Mapping[str, tuple[Callable[[bytes], object], tuple[str, ...]]] = {
        "a label": (lambda raw: read_mark(_text(raw), "$"), (f"{room}.markings.read_mark",)),
        "a statement": (lambda raw: read_statement(_text(raw), "$", Losses()), (f"{room}.markings.read_statement", f"{room}.markings.is_harmless")),
        "limits in words": (lambda raw: marks_in_words("$", _text(raw)), (f"{room}.markings.marks_in_words",)),
        "a channel's name": (lambda raw: site_of(_text(raw)), ("schemas.observables.site_of",)),
        "many names in a text": (lambda raw: _nameless(_text(raw)), ()),
        "a word": (lambda raw: (slug(_text(raw)), identifier(_text(raw))), (f"{room}.reading.slug", f"{room}.reading.identifier")),
        "a cell": (lambda raw: classify(_text(raw)), ("schemas.observables.classify",)),
        "a value": (
            lambda raw: [sighted(kind, _text(raw)) for kind in ("url", "domain-name", "email-addr", "ipv4-addr", "file")],
            ("schemas.observables.sighted",),
        ),
        "a defanged value": (lambda raw: refang(_text(raw)), ("schemas.observables.refang",)),
        "a host": (lambda raw: platform_of(_text(raw)), ("schemas.observables.platform_of",)),
        "free text": (
            lambda raw: [carried(_text(raw), limit=n, path="$", losses=Losses()) for n in (160, 2_000, 8_000)],
            (f"{room}.prose.carried",),
        ),
        "a headline": (lambda raw: headline_of(_text(raw), path="$", losses=Losses()), (f"{room}.prose.headline_of", f"{room}.prose.one_line")),
        "a link": (lambda raw: link_of(_text(raw)), (f"{room}.prose.link_of",)),
        "a name in a text": (
            lambda raw: nameless(_text(raw), _text(raw)[: len(raw) // 2] + "b", "x", path="$", losses=Losses()),
            (f"{room}.prose.nameless",),
        ),
    }  # fmt: skip
    for name, (read, covers) in words.items():
        yield Entry(name=name, limit=16 * MIB, read=read, shapes=text_shapes(), covers=covers, price=60)
    pattern = {name: within(shape, b"[a:b = '", b"']") for name, shape in text_shapes().items()}
    yield Entry(
        name="a STIX pattern",
        limit=MAX_PATTERN_CHARS,
        read=lambda raw: read_pattern(_text(raw)),
        shapes={
            **text_shapes(),
            **{f"{name} in a string": shape for name, shape in pattern.items()},
            "alternatives": filled(b"[", b"a:b='c' OR ", b"a:b='c']"),
            "sets": filled(b"[a:b IN (", b"'c',", b"'c')]"),
            "groups": lambda n: b"(" * (n // 2) + b")" * (n // 2),
            "steps": filled(b"[a:b", b".c", b"='c']"),
            "qualifiers": filled(b"([a:b='c'])", b" REPEATS 2 TIMES"),
        },
        covers=("adapters.formats.stix.patterns.read_pattern",),
        price=200,
    )


def _nameless(text: str) -> str:
    """A text without the names that its own words make."""
    persons, words = Persons(), text[:MOST_NAMES].split()
    for first, second in pairwise(words):
        persons.add(f"{first} {second}")
    return persons.taken_out(text)


def _formats() -> Iterator[Entry]:
    """Each format of each installed adapter: hostile shapes of its carrier, and many of what it lists."""
    for found in discover():
        for format_ in found.adapter.formats.values() if found.adapter is not None else ():
            limit, shapes = OF_FORMATS[format_.id]
            yield Entry(
                name=f"format {format_.id}", limit=limit, read=_reader(format_), shapes=shapes, price=150
            )


def _reader(format_: Format) -> Callable[[bytes], object]:
    return lambda raw: (format_.sniff(raw), translate(format_, raw, CONTEXT))


MISP = b'{"Event":{"info":"x","date":"2027-05-01","threat_level_id":"1",'
STIX = b'{"type":"bundle","id":"bundle--1","objects":['
INDICATOR = '{"type":"indicator","id":"indicator--%s","spec_version":"2.1","pattern_type":"stix","pattern":"[url:value = \'https://%s.example\']"%s}'
NIST = b'{"GeneratedTime":"2027-05-01T00:00:00Z",'
VERIS = b'{"actor":{},"action":{"hacking":{}},"attribute":{"confidentiality":{"data_disclosure":"Yes"}},'
GDPR = b'{"profile":"tocsin-gdpr-art33/1",'
DSA = (
    b'{"category":"STATEMENT_CATEGORY_SCAMS_AND_FRAUD","decision_ground":"DECISION_GROUND_ILLEGAL_CONTENT",'
    b'"source_type":"SOURCE_VOLUNTARY","decision_account":"DECISION_ACCOUNT_SUSPENDED"'
)
EML = (
    b'<EML xmlns="urn:oasis:names:tc:evs:schema:eml" xmlns:kr="http://www.kiesraad.nl/extensions" Id="110a">'
    b'<ElectionIdentifier Id="TK2027"><ElectionName>x</ElectionName><ElectionCategory>GR</ElectionCategory>'
    b"<kr:ElectionDate>2027-06-01</kr:ElectionDate></ElectionIdentifier>"
)
DUMP = b"decision_visibility,decision_ground,category,source_type,platform_name\n"
CHAIN = b"Tactic,Technique,Procedure,Indicator\n"


def _texts_of(before: bytes, after: bytes) -> Mapping[str, Shape]:
    """The shapes of text that stand as they are in a JSON string."""
    return {
        f"{name} as a text": within(shape, before, after)
        for name, shape in text_shapes().items()
        if not set(shape(200)) & set(b'"\\')
    }


def _misp_shapes() -> Mapping[str, Shape]:
    def attribute(kind: str, more: str = "") -> Callable[[int, str], bytes]:
        return lambda _, word: f'{{"type":"{kind}","value":"{word}.example"{more}}}'.encode()

    tag = (MISP + b'"Tag":[{"name":"', b'"}]}}')
    noted = '{"type":"domain","value":"%s.example"}'
    return {
        **json_shapes(MISP, b"}}"),
        **_texts_of(*tag),
        **_texts_of(MISP + b'"Attribute":[{"type":"text","value":"', b'"}]}}'),
        **{f"{name} in a galaxy": s for name, s in _texts_of(MISP + b'"Galaxy":[{"GalaxyCluster":[{"type":"mitre-malware","value":"', b'"}]}]}}').items()},
        "attributes": listed(MISP + b'"Attribute":[', attribute("domain"), b"]}}"),
        "unknown types": listed(MISP + b'"Attribute":[', lambda _, w: f'{{"type":"{w}","value":"x"}}'.encode(), b"]}}"),
        "the same value": filled(MISP + b'"Attribute":[', b'{"type":"domain","value":"a.example","comment":"b"},', b"{}]}}"),
        "sightings": filled(MISP + b'"Attribute":[{"type":"domain","value":"a.example","Sighting":[', b'{"type":"0"},', b"{}]}]}}"),
        "parts of a type": filled(MISP + b'"Attribute":[{"type":"', b"port|", b'md5","value":"x"}]}}'),
        "tags with spaces": filled(MISP + b'"Tag":[', b'{"name":"tlp' + b" " * 380 + b'\\"\\"x"},', b"{}]}}"),
        "tags": listed(MISP + b'"Tag":[', lambda _, w: f'{{"name":"a:{w}"}}'.encode(), b"]}}"),
        "a long comment beside many values": lambda n: MISP + b'"Object":[{"comment":"' + b"a" * (n // 2) + b'","Attribute":['
        + listed(b"", lambda _, w: (noted % w).encode())(n // 2) + b"]}]}}",
        "events": filled(b'{"response":[', b'{"Event":{"info":"x","date":"2027-05-01"}},', b"{}]}"),
    }  # fmt: skip


def _stix_shapes() -> Mapping[str, Shape]:
    def indicator(more: str = "") -> Callable[[int, str], bytes]:
        return lambda _, word: (INDICATOR % (word, word, more)).encode()

    many = "[" + " OR ".join(["url:value = 'https://a.example'"] * 200) + "]"
    report = b'{"type":"report","id":"report--1","spec_version":"2.1","name":"x","object_refs":['
    url = '{"type":"url","id":"url--%s","value":"https://%s.example"}'
    tie = '{"type":"relationship","id":"relationship--%s","spec_version":"2.1","relationship_type":"targets","source_ref":"a","target_ref":"b"}'
    labelled = STIX + b'{"type":"report","id":"report--1","spec_version":"2.1","name":"x","labels":["'
    other = '{"type":"report","id":"report--%s","spec_version":"2.1","name":"x","object_refs":["url--1"]}'
    tail = b"," + (INDICATOR % ("z", "z", "")).encode() + b"]}"
    return {
        **json_shapes(STIX + b"{", b"}" + tail),
        **_texts_of(STIX + b'{"type":"report","id":"report--1","spec_version":"2.1","name":"', b'"}' + tail),
        **{f"{name} as a label": s for name, s in _texts_of(labelled, b'"]}' + tail).items()},
        "indicators": listed(STIX, indicator(), b"]}"),
        "marked indicators": listed(STIX, indicator(',"labels":["tlp:red"]'), b"]}"),
        "urls": listed(STIX, lambda _, w: (url % (w, w)).encode(), b"]}"),
        "versions of one object": filled(STIX, (INDICATOR % ("a", "a", "")).encode() + b",", tail[1:]),
        "ties": listed(STIX, lambda _, w: (tie % w).encode(), tail),
        "references": listed(STIX + report, lambda _, w: f'"{w}"'.encode(), b"]}" + tail),
        "unknown types": listed(STIX, lambda _, w: f'{{"type":"{w}","id":"a--{w}","spec_version":"2.1"}}'.encode(), tail),
        "reports": listed(STIX, lambda _, w: (other % w).encode(), b"]}"),
        "a long name beside many values": lambda n: STIX + (INDICATOR % ("a", "a", "")).encode().replace(
            b"[url:value = 'https://a.example']", many.encode()
        )[:-1] + b',"name":"' + b"a " * (n // 2) + b'"}]}',
        "hashes": listed(STIX + b'{"type":"file","id":"file--1","hashes":{', lambda n, w: f'"{w}":"{n:032x}"'.encode(), b"}}" + tail),
    }  # fmt: skip


def _nist_shapes() -> Mapping[str, Shape]:
    device = b'{"Id":"a","Event":[{"Disposition":"failure"}]},'
    return {
        **json_shapes(NIST + b'"Device":[{', b"}]}"),
        "devices": filled(NIST + b'"Device":[', device, b"{}]}"),
        "events": filled(NIST + b'"Device":[{"Event":[', b'{"Disposition":"failure","TimeStamp":"2027-05-01T00:00:00Z"},', b"{}]}]}"),
        "a long time beside many devices": lambda n: b'{"GeneratedTime":[' + b"1," * (n // 4) + b'1],"Device":['
        + device * (n // 2 // len(device)) + b"{}]}",
        "a long log": lambda n: NIST + b'"x":"' + b"a" * (n // 2) + b'","Device":[' + device * (n // 2 // len(device)) + b"{}]}",
    }  # fmt: skip


OF_FORMATS: Mapping[str, tuple[int, Mapping[str, Shape]]] = {
    "misp-event": (32 * MIB, _misp_shapes()),
    "stix-2-1": (32 * MIB, _stix_shapes()),
    "nist-1500-101-json": (32 * MIB, _nist_shapes()),
    "veris-json": (
        8 * MIB,
        {
            **json_shapes(VERIS, b"}"),
            **_texts_of(VERIS + b'"summary":"', b'"}'),
            "a name in a text": lambda n: VERIS + b'"victim":{"victim_id":"' + b"a " * (n // 4) + b'b"},"summary":"' + b"a " * (n // 4) + b'"}',
            "victims": listed(
                b'{"actor":{},"action":{},"attribute":{"confidentiality":{"data_victim":[', lambda _, w: f'"{w}"'.encode(), b"]}}}"
            ),
            "accents as a victim": filled(
                b'{"actor":{},"action":{},"attribute":{"confidentiality":{"data_victim":["a', "\u0301\u0316".encode(), b'"]}}}'
            ),
            "data": filled(b'{"actor":{},"action":{},"attribute":{"confidentiality":{"data":[', b'{"variety":"Bank"},', b"{}]}}}"),
            "countries": listed(VERIS + b'"victim":{"country":[', lambda _, w: f'"{w}"'.encode(), b"]}}"),
        },
    ),
    "gdpr-art33-json": (
        1 * MIB,
        {**json_shapes(GDPR, b"}"), **_texts_of(GDPR + b'"summary":"', b'"}'), "natures": filled(GDPR + b'"nature":[', b'"integrity",', b'"x"]}')},
    ),
    "dsa-sor-json": (
        32 * MIB,
        {
            **json_shapes(b'{"statements":[' + DSA + b",", b"}]}"),
            **_texts_of(DSA + b',"platform_name":"', b'"}'),
            "statements": filled(b"[", DSA + b"},", DSA + b"}]"),
            "platforms": listed(b"[", lambda _, w: DSA + f',"platform_name":"{w}"}}'.encode(), b"]"),
            "territories": filled(DSA + b',"territorial_scope":[', b'"XA",', b'"XB"]}'),
            "a list in a text": filled(DSA + b',"territorial_scope":"[', b"[", b'"}'),
        },
    ),
    "dsa-sor-csv": (128 * MIB, csv_shapes(DUMP, 5)),
    "meta-threat-csv": (
        32 * MIB,
        {
            **csv_shapes(CHAIN, 4),
            "indicators": listed(CHAIN, lambda n, w: f"0.6,0.6,0.6 x,{w}.example".encode(), b"\n", b"\n"),
            "counts": filled(CHAIN, b"0.1,0.1,0.1 x,1 000 accounts\n"),
            "remarks": filled(CHAIN, b"0.6,0.6,0.6 x," + b"a" * 2000 + b" (b)\n"),
            "near counts": filled(CHAIN, b"0.1,0.1,0.1 x,1 " + b"a/" * 400 + b"\n"),
            "flat": listed(b"indicator_type,indicator_value,comment,ds\n", lambda _, w: f"domain,{w}.example,x,".encode(), b"\n", b"\n"),
        },
    ),
    "eml-nl-xml": (
        16 * MIB,
        {
            **xml_shapes(EML, b"</EML>"),
            "candidates": filled(EML, b"<Affiliation><Candidate/></Affiliation>", b"</EML>"),
            "accents in a name": filled(
                EML.replace(b"<ElectionName>", b"<kr:ElectionDomain>a") [: EML.index(b"<ElectionName>") + 20], "\u0301\u0316".encode()
            ),
        },
    ),
}  # fmt: skip
"""By format: its bound, and what is worst for it."""


# -- files of the operator, the broker, what is printed -----------------------------------------------------------------


def _toml_shapes() -> Mapping[str, Shape]:
    return {
        "a dotted key": filled(b"a", b".a", b"=1"),
        "a dotted header": filled(b"[a", b".a", b"]"),
        "a quoted dotted key": filled(b'"a"', b'."a"', b"=1"),
        "dotted keys": listed(b"", lambda _, w: f"a.{w}=1".encode(), b"", b"\n"),
        "keys": listed(b"", lambda _, w: f"{w}=1".encode(), b"", b"\n"),
        "tables": listed(b"", lambda _, w: f"[{w}]".encode(), b"", b"\n"),
        "lists of tables": filled(b"", b"[[a]]\n[a.b]\nc=1\n"),
        "deep lists": filled(b"a=", b"["),
        "deep tables": filled(b"a=", b"{b="),
        "escapes": filled(b'a="', b"\\n", b'"'),
        "lines of a text": filled(b'a="""', b"\n", b'"""'),
        "digits": filled(b"a=1", b"_1"),
        "long word": filled(b"", b"a"),
        "spaces": filled(b"a", b" ", b"=1"),
        "dots": filled(b"", b"."),
        "quotes": filled(b"", b'"'),
        "comments": filled(b"", b"#\n"),
        "inline": listed(b"a={", lambda _, w: f"{w}=1".encode(), b"}"),
        "inline dotted": filled(b"a={b", b".c", b"=1}"),
    }


def _der(raw: bytes) -> object:
    with contextlib.suppress(*REFUSALS):
        pbes2.lint("x", raw)
    with contextlib.suppress(*REFUSALS):
        pbes2.decrypt(raw, b"x")
    return pbes2.children(raw)


def _pem(raw: bytes) -> object:
    begin = files._LABEL.search(raw)
    end = raw.find(b"-----END " + begin[1] + b"-----", begin.end()) if begin else -1
    return begin and files._BASE64.fullmatch(raw, begin.end(), end)


class _Broker:
    """A client that takes what the parser hands over."""

    def __getattr__(self, _: str) -> Callable[..., Any]:
        async def take(*_: object) -> None:
            return None

        return take


def _protocol(raw: bytes, step: int = 1) -> object:
    parser = HardenedParser(SimpleNamespace())
    parser.nc = _Broker()
    parser.inboxes[b"1"] = list.clear

    async def feed() -> None:
        for place in range(0, len(raw), step):
            await parser.parse(raw[place : place + step])

    with contextlib.suppress(Exception):  # the library's own errors end a connection
        asyncio.run(feed())
    return parser


NOBODY = Speaker(
    issuer=Authority(id="xa-csirt", kind="csirt", domain=Domain.CYBER, country="XA"),
    given=Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community"),
    now=NOW,
)


def _looked_at(raw: bytes) -> object:
    """A draft looked at, and all of it told to a person."""
    found = look(raw, NOBODY, NOW)
    return [told(each, found.source, "draft") for each in found.findings]


def _draft_shapes() -> Mapping[str, Shape]:
    """Drafts that are faulty in many places, or in one that is long."""
    info = b'info = [{lang="en",headline="a",summary="b"}]\nbody = {kind="rfi",'
    seen = b'{"type":"url","personal":"non","valu":"a"},'
    return {
        "faulty observables": filled(b'{"observables":[', seen, seen[:-1] + b"]}"),
        "unknown fields": listed(b"{", lambda n, word: f'"{word}{n}":1'.encode(), b"}"),
        "unknown fields in TOML": listed(info, lambda n, word: f"{word}{n}=1".encode(), b"}"),
        "words that are none": filled(b'{"dimensions":[', b'"cybercrim",', b'"x"]}'),
        "a long word that is none": filled(b'{"severity":"', b"moderate-", b'"}'),
        "an id that is none": filled(b'{"incident_id":"', b"0", b'"}'),
        "a label that is none": filled(b'{"labels":["', b"a:b=", b'"]}'),
        "a link that is none": filled(
            b'{"body":{"kind":"fimi","narratives":[{"text":"a","claim_review":"', b"a:", b' "}]}}'
        ),
        "lines that are no TOML": filled(b"", b"a = b\n"),
        "headings": filled(b"", b"[[info]]\n"),
        "quotes in quotes": filled(b'a = """', b'""\\"', b'"""'),
        "names with dots": filled(b"", b"a.b.c = 1\n"),
        "a line of letters beyond ASCII": filled(b'severity = "', "\u9078".encode(), b'"'),
    }


def _operator() -> Iterator[Entry]:
    yield Entry(
        name="a draft, looked at",
        limit=codec.MAX_PAYLOAD_BYTES,
        read=_looked_at,
        shapes={**json_shapes(), **_toml_shapes(), **_draft_shapes()},
        covers=("bus.drafts.looking.look", "bus.drafts.looking.read", "bus.drafts.looking.read_table"),
        price=200,
        tested=16 * KIB,
    )
    yield Entry(
        name="settings, drafts and scripts in TOML",
        limit=1 * MIB,
        read=toml.loads,
        shapes=_toml_shapes(),
        covers=("bus.toml.loads",),
        price=60,
    )
    yield Entry(
        name="a key file",
        limit=files.MAX_KEY_FILE_BYTES,
        read=_pem,
        shapes={
            "spaces": filled(b"-----BEGIN A-----", b" "),
            "letters": filled(b"-----BEGIN A-----\n", b"A", b"!"),
            "labels": filled(b"", b"-----BEGIN A-----\n"),
            "a long label": filled(b"-----BEGIN ", b"A "),
            "ends": filled(b"-----BEGIN A-----\n", b"-----END B-----\n"),
        },
        price=60,
    )
    yield Entry(
        name="DER of a key",
        limit=files.MAX_KEY_FILE_BYTES,
        read=_der,
        shapes={
            "empty elements": filled(b"", b"\x05\x00"),
            "a long element": lambda n: b"\x04\x83" + n.to_bytes(3) + b"a" * n,
            "a length of a length": filled(b"\x30\xff", b"\xff"),
            "nested": filled(b"", b"\x30\x80"),
        },
        covers=("bus.keys.pbes2.children", "bus.keys.pbes2.lint", "bus.keys.pbes2.decrypt"),
        price=60,
    )
    yield Entry(
        name="the broker's protocol",
        limit=1 * MIB,
        read=lambda raw: _protocol(raw, 4096),
        shapes={
            **text_shapes(),
            "small lines": filled(b"", b"PING\r\n"),
            "messages": filled(b"", b"MSG a 2 0\r\n\r\n"),
            "messages of an inbox": filled(b"", b"HMSG a 1 $JS.ACK.a 12 12\r\nNATS/1.0\r\n\r\n\r\n"),
            "one large message of an inbox": lambda size: b"MSG a 1 %d\r\n" % size + b"\r" * size,
            "spaces": filled(b"MSG", b" ", b"\r\n"),
            "INFO": within(json_shapes()["different names"], b"INFO ", b"\r\n"),
        },
        price=60,
    )
    yield Entry(
        name="the broker's protocol, byte by byte",
        limit=64 * KIB,
        read=_protocol,
        shapes={
            "no line end": filled(b"", b"a"),
            "half line ends": filled(b"", b"\r"),
            "messages of an inbox": filled(b"", b"MSG a 1 0\r\n\r\n"),
            "a message of an inbox that comes and comes": lambda size: (
                b"MSG a 1 %d\r\n" % size + b"\r\n" * (size // 2)
            ),
            "INFO without end": filled(b"INFO ", b"a"),
        },
        price=200,
    )
    yield Entry(
        name="text on a terminal",
        limit=1 * MIB,
        read=lambda raw: safe(_text(raw)),
        shapes=text_shapes(),
        covers=("bus.cli.frame.text.safe",),
        price=60,
    )
    yield Entry(
        name="JSON on a terminal",
        limit=1 * MIB,
        read=lambda raw: safe_json(_text(raw)),
        shapes=text_shapes(),
        covers=("bus.cli.frame.text.safe_json",),
        price=60,
    )


# -- rows in a store --------------------------------------------------------------------------------------------------


def _rows() -> Iterator[Entry]:
    """What a hub asks at each look, and rules when a key ends, over rows that others make it keep."""
    yield Entry(
        name="a look at the channels",
        limit=20_000 * rows.ROW_BYTES,
        read=rows.look,
        shapes=rows.SHAPES,
        prepare=rows.filled_store,
        price=150,
        tested=2_000 * rows.ROW_BYTES,
    )
    yield Entry(
        name="a ruling when a key ends",
        limit=40_000 * rows.ROW_BYTES,
        read=rows.rule,
        shapes=rows.CHAINS,
        prepare=rows.ended_chain,
        price=150,
        tested=4_000 * rows.ROW_BYTES,
    )
