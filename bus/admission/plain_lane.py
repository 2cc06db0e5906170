"""The plain lane: `judge` admits at a glance what our own encoder writes, and leaves everything else to the numbered steps.

It is safe because it only admits, and only where each step would say yes:

- It refuses nothing. What is not plain, in whatever way, is decided by `bus.admission.steps`, which alone refuse.
- It skips no step. Each is asked below, by its number, of the same functions or of a stricter question.
- It admits to the same value, to the field. Tests compare both ways on mutated messages, and seed lanes that drop one check.

Plain is: a header block that is to the byte what a publisher writes, with no more than the line that a stream adds which takes
from another; one signature of the issuer, alone or in a batch; bytes that are what `encode` writes; kinds whose
rules need no second look (`schemas.rules.holds`).

Each pass goes over the whole batch, so that code and tables stay in the processor's caches: that is where the time goes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from bus.admission.steps import Admitted, labels_of
from bus.admission.verdict import Judged, Message, Refused, decide
from bus.errors import PermitError, Proof
from bus.keys import check_entries
from bus.trust import CLOCK_SKEW, RegisteredKey, Speaker, TrustState, VerifiedRegistry
from schemas import merkle, rules
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, as_written, digest_text
from schemas.envelope import (
    SIG_HEADER,
    TYP_BULLETIN,
    Context,
    hints,
    parse_header,
    unb64u,
)
from schemas.errors import EnvelopeError
from schemas.registry import KeyRecord
from schemas.subject import Channel, channel_of, subject_for

_BEGINS = f"NATS/1.0\r\n{SIG_HEADER}: "
_SOURCE = "Nats-Stream-Source"
MAX_PLAIN_BLOCK = 16 * 1024
"""Far more than one signature needs, and less than the least bound on headers."""
_PLACE = re.compile(r"(0|[1-9][0-9]?)\.([A-Za-z0-9_-]{43,256})", re.ASCII)


class Arrived(Protocol):
    """A message as it came, with its header block byte for byte."""

    @property
    def subject(self) -> str:
        """Where it was published."""

    @property
    def block(self) -> bytes:
        """Its header block."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The lines of that block."""

    @property
    def payload(self) -> bytes:
        """Its bytes."""

    @property
    def stream_seq(self) -> int:
        """Its number in its stream."""


class _Opened(NamedTuple):
    """The text of a header block, the value of its first line, and where that ends."""

    text: str
    value: str
    end: int


def judge(
    stream: str, batch: Sequence[Arrived], registry: VerifiedRegistry, now: dt.datetime
) -> list[Judged | Refused]:
    """What admission says of messages, in their order: for each the same as `decide`, and it raises nothing for any bytes.

    Args:
        stream: where they came from.
        batch: the messages.
        registry: who may say what.
        now: the present, aware.
    """
    hashes = [sha256(each.payload).digest() for each in batch]
    names = [digest_text(each) for each in hashes]
    opened = [_opened(each.block) if 0 < len(each.payload) <= MAX_PAYLOAD_BYTES else None for each in batch]
    keys = [
        None if one is None else _signer(one.value, hashed, each.payload, registry)
        for one, hashed, each in zip(opened, hashes, batch, strict=True)
    ]
    read = [None if key is None else as_written(each.payload) for key, each in zip(keys, batch, strict=True)]
    trust = registry.state(now)
    found: list[Judged | Refused] = []
    for each, name, one, key, bulletin in zip(batch, names, opened, keys, read, strict=True):
        plain = None
        if one is not None and key is not None and bulletin is not None:
            plain = _stands(stream, each, name, one, key, bulletin, registry, trust, now)
        if plain is not None:
            found.append(plain)
        else:
            message = Message(
                subject=each.subject,
                headers=each.headers,
                payload=each.payload,
                stream=stream,
                stream_seq=each.stream_seq,
                digest=name,
            )
            found.append(decide(message, registry, now))
    return found


def _opened(block: bytes) -> _Opened | None:
    """Step 1, after 0: the block begins with the one line of the signature. That no other one follows is seen in `_stands`."""
    if len(block) > MAX_PLAIN_BLOCK:
        return None
    text = block.decode("latin-1")  # as every block is read
    end = text.find("\r\n", len(_BEGINS))
    if end < 0 or not text.startswith(_BEGINS):
        return None
    return _Opened(text, text[len(_BEGINS) : end], end)


def _signer(value: str, hashed: bytes, payload: bytes, registry: VerifiedRegistry) -> RegisteredKey | None:
    """Steps 2, 3 and 4: the key whose one signature holds, without a time or certificate of its own."""
    jws, tilde, place = value.partition("~")
    if tilde and (root := registry.roots.get(jws)) is not None:
        size, hash_, its_key = root
        return its_key if _leads(hashed, place, size, hash_) else None
    context = Context(TYP_BULLETIN, registry.domain)
    try:
        (entry,) = parse_header(value, context)
    except (EnvelopeError, ValueError):
        return None
    header = entry.header
    key = registry.key(header.kid)
    if key is None or (header.iat, header.x5t, header.x5c) != (None,) * 3:
        return None
    (checked,) = check_entries((entry,), payload, context, {header.kid: key.public}.get)
    if checked.fault:
        return None
    if entry.batch is not None:
        registry.roots.keep(jws, (entry.batch.size, entry.batch.root, key))
    return key


def _leads(hashed: bytes, place: str, size: int, root: bytes) -> bool:
    """Whether a place, in its one spelling, leads from a payload's hash to the root of a batch whose signature holds."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return False
    index = int(match[1])
    try:
        path = unb64u(match[2])
    except EnvelopeError:
        return False
    if index >= size or len(path) != merkle.path_length(index, size) * merkle.HASH_BYTES:
        return False
    steps = [path[at : at + merkle.HASH_BYTES] for at in range(0, len(path), merkle.HASH_BYTES)]
    return merkle.climb(merkle.leaf_of(hashed), index, size, steps) == root


def _stands(
    stream: str,
    each: Arrived,
    name: str,
    one: _Opened,
    key: RegisteredKey,
    b: Bulletin,
    registry: VerifiedRegistry,
    trust: TrustState,
    now: dt.datetime,
) -> Judged | None:
    """Steps 5 to 10 of a message whose signature holds and whose bytes are the encoder's; None when it is not plain."""
    record, issuer, issued = key.record, b.issuer, b.issued
    if key.authority_id != issuer.id:
        return None  # 6
    speaker = registry.speaker(issuer.id)
    if issuer != speaker.authority:
        return None  # 6
    said = hints(b, name)
    source = _source(one, said)
    if source is None:
        return None  # 1 and 6: every line, and no other
    if not _alone_suffices(record, speaker, issued, now):
        return None  # 7
    subject = subject_for(b)
    if not rules.holds(b, subject):
        return None  # 5, its cross-field part
    if (channel := _permitted(b, registry)) is None:
        return None  # 8
    if each.subject != subject:
        return None  # 9
    if issued > now + CLOCK_SKEW:
        return None  # 10
    kids = (key.public.kid,)
    headers = ((SIG_HEADER, one.value), *said.items())
    return Judged(
        message=Message(
            subject=subject,
            headers=(*headers, *source),
            payload=each.payload,
            stream=stream,
            stream_seq=each.stream_seq,
            digest=name,
        ),
        admitted=Admitted(
            bulletin=b,
            digest=name,
            subject=subject,
            payload=each.payload,
            signature=one.value,
            channel=channel,
            signer_kid=kids[0],
            signer_kids=kids,
            trust=trust,
            admitted_at=now,
            labels=labels_of(b, (), now),
            proof=Proof(subject=subject, headers=headers, kids=kids, voices=kids, awaits=False),
        ),
    )


def _alone_suffices(record: KeyRecord, speaker: Speaker, issued: dt.datetime, now: dt.datetime) -> bool:
    """Step 7: the key's is the one signature that is required, in its window, and the key has not ended."""
    return (
        speaker.require == (record.alg,)
        and record.not_before <= issued < record.not_after
        and record.revoked_since is None
        and now < record.not_after
    )


def _source(one: _Opened, said: dict[str, str]) -> tuple[tuple[str, str], ...] | None:
    """The line that a stream adds which takes from others, if any; None when the block is not just that and the hints."""
    text = one.text
    lines = "".join([f"\r\n{name}: {value}" for name, value in said.items()])
    after = one.end + len(lines)
    if not text.startswith(lines, one.end):
        return None
    rest = text[after:]
    if rest == "\r\n\r\n":
        return ()
    name, colon, value = rest[2:-4].partition(":")
    if name != _SOURCE or not colon or rest[:2] != "\r\n" or rest[-4:] != "\r\n\r\n" or "\r\n" in value:
        return None
    return ((name, value.strip(" \t")),)


def _permitted(b: Bulletin, registry: VerifiedRegistry) -> Channel | None:
    """The channel of a bulletin, when a grant lets its issuer say it there; whatever the grant looks at is in the question."""
    areas = tuple([(area.scope == "eu", area.country) for area in b.areas])
    way = (b.issuer.id, b.kind, b.status, b.tlp, b.audience, areas)
    channel = registry.ways.get(way)
    if channel is None:
        channel = channel_of(b)
        try:
            registry.speaker(b.issuer.id).permit(b, channel)
        except PermitError:
            return None
        registry.ways.keep(way, channel)
    return channel
