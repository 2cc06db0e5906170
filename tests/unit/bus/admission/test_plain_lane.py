"""The plain lane against the numbered steps: the same verdict, field by field, for any messages, order and time.

For each check there is a lane without it; the table of single faults detects each such lane.
"""

from __future__ import annotations

import base64
import datetime as dt
import inspect
import textwrap
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.admission import plain_lane
from bus.admission.steps import LATE_AFTER
from bus.admission.verdict import Judged, Refused, decide
from bus.admission.verdict import Message as Kept
from bus.keys.signatures import FileSigner, sign_entry
from bus.transport.pull_consumer import Received
from bus.transport.raw import block_of
from bus.trust import registry as trust_registry
from bus.trust import remembered
from bus.trust.registry import CLOCK_SKEW, VerifiedRegistry
from bus.trust.revocations import new_statement
from schemas import merkle
from schemas.bodies.coordination import Rfi
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, digest, encode
from schemas.envelope import (
    SIG_HEADER,
    TYP_BATCH,
    TYP_REVOKE,
    Batch,
    Entry,
    b64u,
    format_header,
    head_of,
    hints,
    hints_allowed,
    protected_for,
    signing_input,
)
from schemas.parts import Action, Area, Deadline, ElectionRef, Info, Observable, Ref
from schemas.registry import PublishGrant
from schemas.subject import subject_for
from schemas.vocab import (
    Certainty,
    ElectionType,
    MsgType,
    PersonalFlag,
    Phase,
    RefRel,
    Severity,
    Status,
    Tlp,
    Urgency,
)
from tests.support.batches import batch
from tests.support.world import DOMAIN, NOW, bulletin, key_record, within
from tests.unit.bus.admission.test_hostile import REFUSED
from tests.unit.bus.admission.test_refusals import (
    BOTH_REQUIRED,
    CASES,
    DAY,
    MINE,
    SECOND,
    THEIRS,
    TICK,
    TWO_KEYS,
    WORLD,
    keyed,
    registry_with,
)

STREAM = "WORLD_ACTUAL"
SOURCE = ("Nats-Stream-Source", "XA-CSIRT_ACTUAL 1 > > tocsin.v1.actual.green.community.xa.csirt TiWqDrtZ")
REGISTRY = WORLD.registry


def came(
    b: Bulletin,
    *entries: Entry,
    payload: bytes | None = None,
    source: Iterable[tuple[str, str]] = (SOURCE,),
    subject: str = "",
    **other: str,
) -> Received:
    """A bulletin as a publisher sends it and a stream delivers it; `other` are hints that it has instead."""
    raw = encode(b) if payload is None else payload
    value = format_header(entries or (sign_entry(WORLD.signers[b.issuer.id], raw, within()),))
    said = {**hints(digest(raw)), **{name.replace("_", "-"): value for name, value in other.items()}}
    return arrived(subject or subject_for(b), ((SIG_HEADER, value), *said.items(), *source), raw)


def other_hints(b: Bulletin) -> list[tuple[str, str]]:
    """Headers that a message may have beside the hints of a publisher."""
    name = digest(encode(b))
    return [each for each in hints_allowed(b, name).items() if each not in hints(name).items()]


def arrived(subject: str, headers: Iterable[tuple[str, str]], payload: bytes) -> Received:
    """A message with any headers."""
    return Received(
        subject=subject,
        block=block_of(headers),
        payload=payload,
        stream_seq=7,
        consumer_seq=7,
        stored_ns=1,
        pending=0,
    )


def by_steps(each: Received, registry: VerifiedRegistry, now: dt.datetime) -> Judged | Refused:
    """The verdicts of the numbered steps."""
    message = Kept(
        subject=each.subject,
        headers=each.headers,
        payload=each.payload,
        stream=STREAM,
        stream_seq=each.stream_seq,
        digest=digest(each.payload),
    )
    return decide(message, registry, now)


def anew(registry: VerifiedRegistry) -> VerifiedRegistry:
    """The registry, having remembered nothing."""
    made = object.__new__(VerifiedRegistry)
    made.__dict__.update(registry.__dict__)
    made._forget()
    return made


def judged(
    messages: Sequence[Received],
    registry: VerifiedRegistry = REGISTRY,
    now: dt.datetime = NOW,
    lane: types.ModuleType = plain_lane,
) -> list[Judged | Refused]:
    """The verdicts of a lane on a batch."""
    found: list[Judged | Refused] = lane.judge(STREAM, messages, registry, now)
    return found


def agree(messages: Sequence[Received], registry: VerifiedRegistry, now: dt.datetime) -> None:
    """Compare both ways, and the lane once more with its memory."""
    expected = [by_steps(each, registry, now) for each in messages]
    assert judged(messages, anew(registry), now) == expected
    assert judged(messages, registry, now) == expected
    assert judged(messages, registry, now) == expected


# -- what is plain ------------------------------------------------------------------------------------------------------

ONE = bulletin(WORLD)
TWO = bulletin(WORLD, seq=2, prev=digest(encode(ONE)))
ALONE = came(ONE)
RUN = [bulletin(WORLD, seq=n, prev="p" * 43 if n > 1 else None) for n in range(1, 65)]


def batched(run: Sequence[Bulletin], *signers: FileSigner) -> list[Received]:
    """Consecutive bulletins under one signature."""
    payloads = [encode(each) for each in run]
    entries = batch(payloads, *(signers or (MINE,)))
    return [came(each, *one) for each, one in zip(run, entries, strict=True)]


BATCHED = batched(RUN[:5])
VOTE = ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.CAMPAIGN)
EARLIER = "0196fe2f-9be0-7000-8000-00000000000a"
ACT = Action(kind="block-indicator", to=("xb-csirt",), text="Block it.")
MAILBOX = Observable(type="email-addr", personal=PersonalFlag.NONE, value="info@elections.example")
PLAIN: dict[str, list[Received]] = {
    "alone": [ALONE],
    "from its own stream": [came(ONE, source=())],
    "a whole run, singly": [came(each) for each in RUN],
    "late": [came(bulletin(WORLD, issued=NOW - dt.timedelta(hours=1)))],
    "expired": [came(bulletin(WORLD, issued=NOW - 3 * DAY, expires=NOW - DAY))],
    "in the clear": [came(bulletin(WORLD, tlp=Tlp.CLEAR, audience="public"))],
    "of an election": [came(bulletin(WORLD, election=VOTE))],
    "with labels": [came(bulletin(WORLD, labels=("topic:roll",)))],
    "an update": [
        came(bulletin(WORLD, msg_type=MsgType.UPDATE, references=(Ref(id=EARLIER, rel=RefRel.SUPERSEDES),)))
    ],
    "in other letters": [
        came(bulletin(WORLD, info=(Info(lang="el", headline="Ψευδές φυλλάδιο", summary="Δόθηκε διόρθωση."),)))
    ],
    "with a co-issuer": [came(bulletin(WORLD, co_issuers=(REGISTRY.issuer("xb-csirt"),)))],
    "addressed to somebody": [came(bulletin(WORLD, actions=(ACT,)))],
    "a mailbox of an office": [came(bulletin(WORLD, observables=(MAILBOX,)))],
    **{f"a batch of {size}": batched(RUN[:size]) for size in (2, 3, 5, 63, 64)},
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plain_is_admitted_without_the_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane is for something: what our own encoder writes never takes the long way."""
    expected = [by_steps(each, REGISTRY, NOW) for each in PLAIN[name]]
    monkeypatch.setattr(plain_lane, "decide", None)
    permitted = [
        (each, verdict)
        for each, verdict in zip(PLAIN[name], expected, strict=True)
        if type(verdict) is Judged
    ]
    assert permitted or name == "in the clear"
    assert judged([each for each, _ in permitted], anew(REGISTRY)) == [verdict for _, verdict in permitted]


# -- what is wrong in one thing alone -----------------------------------------------------------------------------------


def own(payload: bytes, **changes: Any) -> Entry:
    """A signature whose protected header is changed."""
    context = within(changes.pop("typ", "vnd.tocsin.bulletin"), changes.pop("domain", DOMAIN))
    return sign_entry(MINE, payload, context, **changes)


def under(alg: str) -> Entry:
    """A signature that holds, under a header with another algorithm."""
    protected = protected_for(alg, MINE.kid, within())
    good = own(encode(ONE))
    header = msgspec.structs.replace(good.header, alg=alg)
    signature = MINE.sign(signing_input(protected, encode(ONE)))
    return Entry(protected=protected, signature=signature, header=header)


def at(message: Received, index: int | None = None, path: Callable[[str], str] | None = None) -> Received:
    """A batched message whose place is written otherwise."""
    value = dict(message.headers)[SIG_HEADER]
    jws, _, place = value.partition("~")
    number, _, text = place.partition(".")
    wrong = f"{jws}~{number if index is None else index}.{text if path is None else path(text)}"
    return msgspec.structs.replace(message, block=message.block.replace(value.encode(), wrong.encode()))


def spelt(message: Received, number: str) -> Received:
    """A batched message whose index is spelt so."""
    return msgspec.structs.replace(message, block=message.block.replace(b"~0.", f"~{number}.".encode()))


def mixed() -> Received:
    """A batch whose head names another size than its tree has."""
    made = merkle.tree([merkle.leaf(encode(each)) for each in RUN[:3]])
    entry = sign_entry(MINE, head_of(made.root, 4), within(TYP_BATCH))
    place = Batch(head=b64u(head_of(made.root, 4)), size=4, root=made.root, index=0, path=made.paths[0])
    return came(RUN[0], msgspec.structs.replace(entry, batch=place))


def unplaced(message: Received) -> Received:
    """A batched message that names no place."""
    value = dict(message.headers)[SIG_HEADER]
    bare = value.partition("~")[0] + "~"
    return msgspec.structs.replace(message, block=message.block.replace(value.encode(), bare.encode()))


def foundling() -> Received:
    """A bulletin that was not signed, under the signature and at the place of another."""
    entries = batch([encode(each) for each in RUN[:5]], MINE)
    return came(msgspec.structs.replace(RUN[2], severity=Severity.EXTREME), *entries[2])


def borrowed() -> list[Received]:
    """A whole tree whose leaves and paths fit, under the signature of another one."""
    payloads = [encode(each) for each in RUN[5:10]]
    made = merkle.tree([merkle.leaf(each) for each in payloads])
    (signed,) = batch([encode(each) for each in RUN[:5]], MINE)[0]
    assert signed.batch is not None
    places = [msgspec.structs.replace(signed.batch, index=n, path=path) for n, path in enumerate(made.paths)]
    return [
        came(each, msgspec.structs.replace(signed, batch=place))
        for each, place in zip(RUN[5:10], places, strict=True)
    ]


def strayed() -> Received:
    """A bulletin whose signature has another spelling: bits beyond its last byte."""
    (opening, last) = (value := dict(ALONE.headers)[SIG_HEADER])[:-1], value[-1]
    wrong = opening + {"A": "B", "Q": "R", "g": "h", "w": "x"}[last]
    return msgspec.structs.replace(ALONE, block=ALONE.block.replace(value.encode(), wrong.encode()))


def as_head() -> Received:
    """A bulletin that is signed alone, under the protected header of a batch."""
    return came(ONE, own(encode(ONE), typ=TYP_BATCH))


GENEROUS = registry_with(
    "xa-csirt",
    publish=(
        PublishGrant(
            statuses=tuple(each for each in Status if each is not Status.BEAT),
            tlps=tuple(Tlp),
            audiences=("public", "community", "eu-csirts"),
            kinds=("*",),
            areas=("*",),
        ),
    ),
)
GRAVE = bulletin(WORLD, severity=Severity.EXTREME, urgency=Urgency.IMMEDIATE, certainty=Certainty.OBSERVED)
ABROAD = bulletin(WORLD, areas=(Area(scope="international"),))
QUESTION = Rfi(question="Who?", respond_by=NOW + DAY, to=("xb-csirt",))
SIMILAR: dict[str, tuple[Bulletin, Bulletin]] = {
    "issuer": (ONE, bulletin(WORLD, "xb-csirt", areas=ONE.areas)),
    "kind": (ONE, msgspec.structs.replace(ONE, body=QUESTION)),
    "status": (ONE, msgspec.structs.replace(ONE, status=Status.TEST)),
    "marking": (ONE, msgspec.structs.replace(ONE, tlp=Tlp.AMBER)),
    "audience": (ONE, msgspec.structs.replace(ONE, audience="eu-csirts")),
    "area": (ONE, msgspec.structs.replace(ONE, areas=(Area(scope="country", country="XB"),))),
    "Union": (ABROAD, msgspec.structs.replace(ABROAD, areas=(Area(scope="eu"),))),
    "election": (ONE, msgspec.structs.replace(ONE, election=VOTE)),
    "urgency": (GRAVE, msgspec.structs.replace(GRAVE, urgency=Urgency.PAST)),
    "severity": (GRAVE, msgspec.structs.replace(GRAVE, severity=Severity.MINOR)),
    "certainty": (GRAVE, msgspec.structs.replace(GRAVE, certainty=Certainty.UNLIKELY)),
}
"""Two bulletins that differ in one thing that a grant or the subject looks at."""


def similar(one: Bulletin, other: Bulletin) -> list[Received]:
    """The first, and the other on the subject of the first, then each on its own."""
    return [came(one), came(other, subject=subject_for(one)), came(other), came(one)]


UNLIKE = (
    msgspec.structs.replace(
        ONE, actions=(Action(kind="investigate", to=("xa-nobody",), text="Look into it."),)
    ),
    msgspec.structs.replace(
        ONE, co_issuers=(msgspec.structs.replace(REGISTRY.issuer("xb-csirt"), kind="dsc"),)
    ),
    msgspec.structs.replace(ONE, body=msgspec.structs.replace(QUESTION, to=("xa-nobody",))),
    msgspec.structs.replace(
        ONE, deadlines=(Deadline(clock="gdpr-33", started=NOW, due=NOW + dt.timedelta(hours=1)),)
    ),
)
"""What a grant covers and the registry contradicts."""
ASKED = msgspec.structs.replace(ONE, body=QUESTION)
CONTRADICTED = [(ASKED if type(each.body) is Rfi else ONE, each) for each in UNLIKE]
"""Each after one of the same kind and channel that nothing contradicts."""
RENAMED = msgspec.structs.replace(ONE, issuer=msgspec.structs.replace(ONE.issuer, name="Somebody else"))
NO_BULLETIN = b'{"seq":1}'
FIRST, SECOND_OF_TREE = BATCHED[0], BATCHED[1]
_LAST = ("ce-datacontenttype", "application/json")

WRONG: dict[str, tuple[list[Received], VerifiedRegistry, dt.datetime]] = {
    name: (messages, registry, now)
    for name, messages, registry, now in (
        ("a second signature behind", [came(ONE, source=((SIG_HEADER, "x"),))], REGISTRY, NOW),
        ("a second signature behind the source", [came(ONE, source=(SOURCE, (SIG_HEADER, "x")))], REGISTRY, NOW),
        ("a hint behind", [came(ONE, source=(("CE-ID", "x"),))], REGISTRY, NOW),
        ("a hint that contradicts", [came(ONE, ce_id="x")], REGISTRY, NOW),
        ("a hint of the same length", [came(ONE, Nats_Msg_Id=digest(encode(ONE))[::-1])], REGISTRY, NOW),
        ("all hints that there are", [came(ONE, source=(*other_hints(ONE), SOURCE))], REGISTRY, NOW),
        ("a digest that contradicts", [came(ONE, Nats_Msg_Id="x")], REGISTRY, NOW),
        ("two addresses of sources", [came(ONE, source=(SOURCE, SOURCE))], REGISTRY, NOW),
        ("another header", [came(ONE, source=(("X", "y"),)), came(ONE, source=(("X-Another-Stream", "y" * 40),))], REGISTRY, NOW),
        ("a header without an end", [msgspec.structs.replace(ALONE, block=ALONE.block[:-2] + b"X:")], REGISTRY, NOW),
        ("a block without an end", [msgspec.structs.replace(ALONE, block=ALONE.block[:-n]) for n in (1, 2, 3, 4)], REGISTRY, NOW),
        ("made for something else", [came(ONE, own(encode(ONE), typ=TYP_REVOKE))], REGISTRY, NOW),
        ("made in another federation", [came(ONE, own(encode(ONE), domain="other"))], REGISTRY, NOW),
        ("a batch's type, alone", [came(ONE, own(encode(ONE), typ=TYP_BATCH))], REGISTRY, NOW),
        ("an unknown key", [came(ONE, sign_entry(FileSigner.generate(), encode(ONE), within()))], REGISTRY, NOW),
        ("another algorithm", [came(ONE, under("ES256"))], REGISTRY, NOW),
        ("a time far off", [came(ONE, own(encode(ONE), iat=int(NOW.timestamp()) + 301))], REGISTRY, NOW),
        ("a time", [came(ONE, own(encode(ONE), iat=int(NOW.timestamp())))], REGISTRY, NOW),
        ("a certificate", [came(ONE, own(encode(ONE), x5t="x" * 43))], REGISTRY, NOW),
        ("a signature over something else", [came(ONE, own(encode(TWO)))], REGISTRY, NOW),
        ("two signatures", [came(ONE, own(encode(ONE)), sign_entry(THEIRS, encode(ONE), within()))], REGISTRY, NOW),
        ("one signature twice", [came(ONE, own(encode(ONE)), own(encode(ONE)))], REGISTRY, NOW),
        ("another place of the tree", [FIRST, at(FIRST, 1), at(FIRST, 4), at(FIRST, 5), at(FIRST, 6), at(FIRST, 63)], REGISTRY, NOW),
        ("a place that is spelt otherwise", [FIRST, spelt(FIRST, "00"), spelt(FIRST, "+0"), spelt(FIRST, " 0"),
                                             spelt(FIRST, "٠"), spelt(FIRST, "")], REGISTRY, NOW),
        ("another path", [FIRST, at(FIRST, path=lambda text: text[::-1]), at(FIRST, path=lambda text: text[:-43]),
                          at(FIRST, path=lambda text: text + text[:44]), at(FIRST, path=lambda text: text + "="),
                          at(FIRST, path=lambda _: "A" * 45), at(FIRST, path=lambda _: "")], REGISTRY, NOW),
        ("a path with stray bits", [BATCHED[4], at(BATCHED[4], path=lambda text: text[:-1] + "_")], REGISTRY, NOW),
        ("the place of its neighbour", [FIRST, msgspec.structs.replace(FIRST, payload=SECOND_OF_TREE.payload)],
         REGISTRY, NOW),
        ("no place at all", [FIRST, unplaced(FIRST)], REGISTRY, NOW),
        ("a whole tree but for one payload", [*BATCHED[:2], foundling(), *BATCHED[3:]], REGISTRY, NOW),
        ("a whole tree but for one path", [*BATCHED[:4], at(BATCHED[4], path=lambda text: text[:-1] + "_")], REGISTRY, NOW),
        ("a whole tree, out of order", BATCHED[::-1], REGISTRY, NOW),
        ("a whole tree, one twice", [*BATCHED, BATCHED[1]], REGISTRY, NOW),
        ("a whole tree, one for another", [*BATCHED[:3], BATCHED[2], BATCHED[4]], REGISTRY, NOW),
        ("two trees, mixed", [each for pair in zip(BATCHED, batched(RUN[5:10]), strict=True) for each in pair], REGISTRY, NOW),
        ("two trees, one under the other's signature", [*BATCHED, *borrowed()], REGISTRY, NOW),
        ("a path that is a whole batch", [FIRST, *(at(each, path=lambda text: text) for each in BATCHED)], REGISTRY, NOW),
        ("a size that is not the tree's", [mixed(), mixed()], REGISTRY, NOW),
        ("signed by two in a batch", batched(RUN[:3], MINE, THEIRS), REGISTRY, NOW),
        ("no payload", [came(ONE, payload=b"")], REGISTRY, NOW),
        ("a payload beyond its bound", [came(ONE, payload=b"x" * (MAX_PAYLOAD_BYTES + 1))], REGISTRY, NOW),
        ("a space in the payload", [came(ONE, payload=encode(ONE) + b" ")], REGISTRY, NOW),
        ("a member twice", [came(ONE, payload=encode(ONE)[:-1] + b',"seq":1}')], REGISTRY, NOW),
        ("another spelling", [came(ONE, payload=encode(ONE).replace(b'"seq":1', b'"seq": 1'))], REGISTRY, NOW),
        ("no bulletin", [came(ONE, payload=NO_BULLETIN)], REGISTRY, NOW),
        ("a time with an offset", [came(ONE, payload=encode(ONE).replace(b"Z\"", b"+00:00\""))], REGISTRY, NOW),
        ("by another authority", [came(ONE, sign_entry(THEIRS, encode(ONE), within()))], REGISTRY, NOW),
        ("an issuer under another name", [came(RENAMED)], REGISTRY, NOW),
        ("what the grant step knows otherwise, after what it lets pass", [came(ONE), *map(came, UNLIKE), came(ONE)], REGISTRY, NOW),
        *((f"what the grant step knows otherwise, {n}", [came(one), came(other), came(one)], REGISTRY, NOW)
          for n, (one, other) in enumerate(CONTRADICTED)),
        ("co-issuers", [came(bulletin(WORLD, co_issuers=(REGISTRY.issuer("xb-csirt"),)))], REGISTRY, NOW),
        ("a required algorithm is missing", [ALONE, FIRST], TWO_KEYS, NOW),
        ("two required algorithms are missing", [ALONE], BOTH_REQUIRED, NOW),
        ("a second algorithm is required", [ALONE], registry_with(
            "xa-csirt", keys={MINE.kid: key_record(MINE), SECOND.kid: key_record(SECOND)}, require=("Ed25519", "ES256")
        ), NOW),
        ("another path in the middle", [BATCHED[0], at(BATCHED[1], path=lambda text: text[::-1]), BATCHED[2]], REGISTRY, NOW),
        ("another index in the middle", [BATCHED[0], at(BATCHED[1], index=2), BATCHED[2]], REGISTRY, NOW),
        ("one is missing in the middle", [BATCHED[0], BATCHED[2]], REGISTRY, NOW),
        ("the last of them twice", [BATCHED[1], BATCHED[2], BATCHED[2]], REGISTRY, NOW),
        ("the signature of another, after one that holds", [ALONE, came(TWO, own(encode(ONE)))], REGISTRY, NOW),
        ("another spelling, after one that holds", [ALONE, strayed()], REGISTRY, NOW),
        ("a second signature, after one that holds", [ALONE, came(ONE, own(encode(ONE)), own(encode(ONE), domain="x.example"))], REGISTRY, NOW),
        ("by another key, after one that holds", [ALONE, came(ONE, sign_entry(SECOND, encode(ONE), within()))], TWO_KEYS, NOW),
        ("a time, after one that holds", [ALONE, came(ONE, own(encode(ONE), iat=int(NOW.timestamp())))], REGISTRY, NOW),
        ("another federation, after one that holds", [ALONE, came(ONE, own(encode(ONE), domain="x.example"))], REGISTRY, NOW),
        ("alone, under the header of a batch that holds", [FIRST, as_head()], REGISTRY, NOW),
        ("issued before its key", [came(bulletin(WORLD, issued=NOW - 31 * DAY))], REGISTRY, NOW),
        ("issued as its key ends", [ALONE], keyed(not_after=NOW), NOW - TICK),
        ("a revoked key", [ALONE, FIRST], keyed(revoked_since=NOW + DAY), NOW),
        ("it comes as its key ends", [ALONE, FIRST], keyed(not_after=NOW + DAY), NOW + DAY),
        ("it comes just before its key ends", [ALONE, FIRST], keyed(not_after=NOW + DAY), NOW + DAY - TICK),
        ("number two without a predecessor", [came(bulletin(WORLD, seq=2))], REGISTRY, NOW),
        ("a rule is broken", [came(bulletin(WORLD, expires=NOW + 500 * DAY))], REGISTRY, NOW),
        ("it ends before it begins", [came(bulletin(WORLD, expires=NOW))], REGISTRY, NOW),
        ("no grant for the audience", [ALONE, came(bulletin(WORLD, audience="eu-dsc"))], REGISTRY, NOW),
        ("no grant for the status", [ALONE, came(bulletin(WORLD, status=Status.SYSTEM))], REGISTRY, NOW),
        ("on another subject", [came(ONE, subject="tocsin.v1.elsewhere")], REGISTRY, NOW),
        ("on a neighbour's subject", [came(ONE, subject=subject_for(ONE)[:-1] + "1")], REGISTRY, NOW),
        *((f"of another {name}, on the subject of a similar one", similar(*both), GENEROUS, NOW) for name, both in SIMILAR.items()),
        ("from the future", [came(bulletin(WORLD, issued=NOW + CLOCK_SKEW + TICK))], REGISTRY, NOW),
    )
}  # fmt: skip


def table() -> Iterable[tuple[str, list[Received], VerifiedRegistry, dt.datetime]]:
    """Everything that is compared: what is plain, what is wrong in one thing, and what other tables refuse."""
    for name, messages in PLAIN.items():
        yield name, messages, REGISTRY, NOW
    for name, (messages, registry, now) in WRONG.items():
        yield name, messages, registry, now
    for name, (message, registry, now, *_) in CASES.items():
        yield name, [arrived(message.subject, message.headers, message.payload)], registry, now
    for name, (message, _) in REFUSED.items():
        headers = [pair for pair in message.headers if "\n" not in pair[1]]
        yield name, [arrived(message.subject, headers, message.payload)], REGISTRY, NOW


TABLE = {f"{n}: {row[0]}": row[1:] for n, row in enumerate(table())}


@pytest.mark.parametrize("name", TABLE)
def test_both_ways_say_the_same(name: str) -> None:
    """They agree field by field, also when the lane has remembered results."""
    agree(*TABLE[name])


def test_a_batch_of_everything_is_judged_as_each_alone() -> None:
    """Forward and backward, so that the good one of a tree comes before and after the bad ones."""
    rows = [each for messages, registry, _ in TABLE.values() if registry is REGISTRY for each in messages]
    rows = [each for each in rows if len(each.payload) < 10_000]
    for messages in (rows, rows[::-1]):
        assert judged(messages, anew(REGISTRY)) == [by_steps(each, REGISTRY, NOW) for each in messages]


# -- lanes that drop a check --------------------------------------------------------------------------------------------

DROPPED: dict[str, tuple[str, str]] = {
    "1, more lines": ("if block[end:] != _END:", "if not block.endswith(_END):"),
    "1, another name": (
        "    if not block.startswith(_SOURCE_LINE, at):\n        return () if block[at:] == _END else None\n",
        "    if block[at:] == _END:\n        return ()\n",
    ),
    "1, lines of no stream": ("return () if block[at:] == _END else None", "return ()"),
    "1, the end of the block": ("if block[end:] != _END:", "if end < 0:"),
    "2, the federation": ("Context(TYP_BULLETIN, registry.domain)", "_claimed(value)"),
    "3, a time": ("(header.iat, header.x5t, header.x5c) != (None,) * 3", "False"),
    "3 and 4, the signature": ("    if checked.fault:\n        return None\n", ""),
    "4, alone": ("return key if holds_under(key.public, protected, signature, payload) else None", "return key"),
    "4, its one spelling": ("holds_under(key.public, protected, signature, payload)", "holds_under(key.public, protected, _loosely(signature), payload)"),
    "4, whose opening": ("registry.openings.get(protected)", "next(iter(registry.openings._known.values()), None)"),
    "4, what is signed alone": ("    else:\n        registry.openings.keep", "    if True:\n        registry.openings.keep"),
    "4, the path": ("return found is not None and merkle.climb(merkle.leaf_of(hashed), found[0], size, found[1]) == root", "return found is not None"),
    "4, the place": ("if index >= size or len(path)", "if len(path)"),
    "4, its spelling": ("_PLACE.fullmatch(text)", "re.fullmatch(r'[ +]?(\\d+)\\.([A-Za-z0-9_-]*)', text)"),
    "4, whole paths": ("if place == expected or _leads(hashes[n], place, size, hash_):", "if True:"),
    "4, what is written": ("if place == expected or", "if expected or"),
    "4, no place": ("return [None] * len(leaves)", 'return [""] * len(leaves)'),
    "4, the root of a whole tree": ("if made.root == root:", "if True:"),
    "4, whether a stretch is one": (" and ends[0] - begins[0] == len(leaves) - 1", ""),
    "0 and 5, the bytes": ("as_written(each.payload)", "_leniently(each.payload)"),
    "6, who signed": ("if key.authority_id != issuer.id:", "if False:"),
    "6, the description": ("if issuer != speaker.authority:", "if False:"),
    "6, the hints": ("if not block.startswith(lines, start):", "if False:"),
    "7, algorithms": ("speaker.require == (record.alg,)", "record.alg in speaker.require"),
    "7, all of them": ("speaker.require == (record.alg,)", "True"),
    "7, the window": ("record.not_before <= issued < record.not_after", "True"),
    "7, its beginning": ("record.not_before <= issued < record.not_after", "issued < record.not_after"),
    "7, its end": ("record.not_before <= issued < record.not_after", "record.not_before <= issued <= record.not_after"),
    "7, revoked": ("        and record.revoked_since is None\n", ""),
    "7, ended": ("        and now < record.not_after\n", ""),
    "7, the moment of its end": ("now < record.not_after\n", "now <= record.not_after\n"),
    "7, the key": ("if not _alone_suffices(key.record, speaker, issued, now):", "if False:"),
    "5, the rules": ("if not rules.holds(b, subject):", "if False:"),
    "9": ("if each.subject != subject:", "if False:"),
    "10": ("if issued > now + CLOCK_SKEW:", "if False:"),
}  # fmt: skip


REMEMBERED: dict[str, tuple[str, str]] = {
    "8, the grant": ("self.speaker(b.issuer.id).permit(b, channel)", "pass"),
    "8, what is said of others": ("self.speaker(b.issuer.id).contradicted(b)", "False"),
    "8, who": ("b.issuer.id, type(b.body)", "type(b.body)"),
    "8, the kind": ("b.issuer.id, type(b.body), b.status", "b.issuer.id, b.status"),
    "8, the status": ("type(b.body), b.status, b.tlp", "type(b.body), b.tlp"),
    "8, the marking": ("b.status, b.tlp, b.audience", "b.status, b.audience"),
    "8, the audience": ("b.tlp, b.audience, areas,", "b.tlp, areas,"),
    "8, the areas": ("b.audience, areas, election", "b.audience, election"),
    "8, whether it is the Union": ('(area.scope == "eu", area.country)', "area.country"),
    "9, the election": (" election and election.id,", ""),
    "9, the urgency": ("b.urgency, b.severity", "b.severity"),
    "9, the severity": ("b.urgency, b.severity, b.certainty", "b.urgency, b.certainty"),
    "9, the certainty": ("b.severity, b.certainty,", "b.severity,"),
}  # fmt: skip
"""The question that a registry remembers the answer to (`VerifiedRegistry.permitted`)."""


def _leniently(raw: bytes) -> Bulletin | None:
    try:
        return msgspec.json.decode(raw, type=Bulletin)
    except msgspec.MsgspecError:
        return None


def _loosely(text: str) -> str:
    return b64u(base64.urlsafe_b64decode(text + "=="))


def _claimed(value: str) -> Any:
    from schemas.envelope import Context, unb64u

    try:
        header = msgspec.json.decode(unb64u(value.partition(".")[0]), type=dict[str, Any])
        return Context("vnd.tocsin.bulletin", str(header.get("domain")))
    except Exception:  # noqa: BLE001 (rubbish claims nothing)
        return within()


def lane_without(check: str) -> types.ModuleType:
    """The lane without one of its checks."""
    source = inspect.getsource(plain_lane)
    found, instead = DROPPED[check]
    assert source.count(found) == 1, "the check stands elsewhere by now"
    made = types.ModuleType("a wrong lane")
    made.__dict__.update(_leniently=_leniently, _claimed=_claimed, _loosely=_loosely)
    exec(compile(source.replace(found, instead), "a wrong lane", "exec"), made.__dict__)  # noqa: S102 (our own source)
    return made


@pytest.mark.parametrize("check", DROPPED)
def test_a_lane_that_drops_a_check_is_caught(check: str) -> None:
    """Some row of the table is judged otherwise by it."""
    assert is_caught(lane_without(check)), "no row of the table tells it from the lane"


@pytest.mark.parametrize("check", REMEMBERED)
def test_a_registry_that_asks_too_little_is_caught(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would apply the remembered result of one bulletin to another; then some row of the table is judged differently."""
    source = textwrap.dedent(inspect.getsource(VerifiedRegistry.permitted))
    found, instead = REMEMBERED[check]
    assert source.count(found) == 1, "it is asked elsewhere by now"
    made = dict(vars(trust_registry))
    exec(compile(source.replace(found, instead), "a hasty registry", "exec"), made)  # noqa: S102 (our own source)
    monkeypatch.setattr(VerifiedRegistry, "permitted", made["permitted"])
    assert is_caught(plain_lane), "no row of the table tells it from the registry"


def is_caught(lane: types.ModuleType) -> bool:
    """Whether a lane judges some row of the table differently, or fails on it."""
    caught = False
    for messages, registry, now in TABLE.values():
        expected = [by_steps(each, registry, now) for each in messages]
        try:
            known = anew(registry)
            caught |= any(judged(messages, known, now, lane) != expected for _ in range(2))
        except Exception:  # noqa: BLE001 (a lane that breaks is caught too)
            caught = True
        if caught:
            return True
    return False


# -- mutations ----------------------------------------------------------------------------------------------------------

BASES = [ALONE, came(ONE, source=()), *BATCHED, *(came(each) for each in RUN[:3])]
MOMENTS = [
    NOW,
    ONE.issued - CLOCK_SKEW - TICK,
    ONE.issued - CLOCK_SKEW,
    ONE.issued - CLOCK_SKEW + TICK,
    ONE.issued + LATE_AFTER,
    ONE.issued + LATE_AFTER + TICK,
    ONE.expires - TICK,
    ONE.expires,
    NOW + 365 * DAY - TICK,
    NOW + 365 * DAY,
]
REGISTRIES = [
    REGISTRY,
    keyed(not_after=NOW + DAY),
    keyed(not_before=NOW),
    keyed(not_before=NOW + TICK),
    TWO_KEYS,
]
PIECES = st.sampled_from(
    [b"", b"\r\n", b" ", b"~", b".", b"..", b",", b"0", b"\x00", b"\xc3\xa9", b"=", b"A", b"Tocsin-Sig: x\r\n", b'"', b":", b"{"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> Received:
    """A plain message, altered in up to three places of its block, payload or subject, or with parts of another."""
    message = draw(st.sampled_from(BASES))
    for _ in range(draw(st.integers(0, 3))):
        field = draw(st.sampled_from(["block", "block", "payload", "subject"]))
        value = getattr(message, field)
        raw = value.encode() if field == "subject" else value
        if draw(st.integers(0, 3)) == 0:
            raw = getattr(draw(st.sampled_from(BASES)), field)
            raw = raw.encode() if field == "subject" else raw
        else:
            place = draw(st.integers(0, max(0, len(raw) - 1)))
            gone = draw(st.sampled_from([0, 0, 1, 1, 2, 44]))
            put = draw(PIECES | st.just(raw[place : place + 2]) | st.binary(max_size=2))
            raw = raw[:place] + put + raw[place + gone :]
        kept = raw.decode("utf-8", "backslashreplace") if field == "subject" else raw
        message = msgspec.structs.replace(message, **{field: kept})
    return message


@settings(max_examples=600, deadline=None)
@given(st.lists(mutated(), min_size=1, max_size=4), st.sampled_from(REGISTRIES), st.sampled_from(MOMENTS))
def test_mutations_are_judged_alike(
    messages: list[Received], registry: VerifiedRegistry, now: dt.datetime
) -> None:
    """They agree on any alteration, in batches, at the limits of clocks and keys."""
    expected = [by_steps(each, registry, now) for each in messages]
    assert judged(messages, registry, now) == expected


@settings(max_examples=60, deadline=None)
@given(st.permutations(list(range(len(WRONG)))), st.integers(1, 9))
def test_the_order_in_a_batch_is_nothing_to_a_verdict(order: list[int], size: int) -> None:
    """Good ones and bad ones of the same trees and grants, in any order, cut into batches of any size."""
    rows = [each for each in WRONG.values() if each[1] is REGISTRY and each[2] is NOW]
    messages = [each for n in order if n < len(rows) for each in rows[n][0] if len(each.payload) < 10_000]
    registry = anew(REGISTRY)
    for first in range(0, len(messages), size):
        part = messages[first : first + size]
        assert judged(part, registry) == [by_steps(each, REGISTRY, NOW) for each in part]


@pytest.mark.parametrize("place", range(6))
def test_a_revocation_ends_what_was_remembered(place: int) -> None:
    """In the middle of a batch of one signature: what comes after it is judged by the registry that there is then."""
    statement = new_statement(
        domain=DOMAIN, authority="xa-csirt", kids=[MINE.kid], since=NOW, reason="stolen", signer=MINE, now=NOW
    )
    before = anew(REGISTRY)
    first = judged(BATCHED[:place], before)
    after = before.with_revocation(statement, NOW)
    second = judged(BATCHED[place:], after)
    assert first == [by_steps(each, before, NOW) for each in BATCHED[:place]]
    assert second == [by_steps(each, after, NOW) for each in BATCHED[place:]]
    assert all(isinstance(each, Judged) for each in first)
    assert all(isinstance(each, Refused) and each.reason == "key-revoked" for each in second)


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is bounded; beyond it the lane starts with an empty memory and gives the same verdicts."""
    monkeypatch.setattr(remembered, "MOST", 3)
    registry = anew(REGISTRY)
    pairs = [each for n in range(0, 20, 2) for each in batched(RUN[n : n + 2])]
    assert judged(pairs, registry) == [by_steps(each, REGISTRY, NOW) for each in pairs]
    assert 0 < len(registry.roots) <= 3


def test_only_roots_that_hold_are_remembered() -> None:
    """Nobody fills it but who holds a key of the registry."""
    registry = anew(REGISTRY)
    judged(batched(RUN[:3], FileSigner.generate()), registry)
    assert len(registry.roots) == 0


def test_only_openings_of_signatures_that_hold_are_remembered() -> None:
    """Under one that is not, what is wrong is read from the beginning each time."""
    registry = anew(REGISTRY)
    judged([came(ONE, own(encode(TWO))), came(ONE, own(encode(ONE), domain="x.example")), *BATCHED], registry)
    assert len(registry.openings) == 0
    judged([ALONE], registry)
    assert len(registry.openings) == 1
