"""The plain lane: `judge` quickly admits messages as our own encoder writes them; the numbered steps decide on all others.

It is safe because it only admits, and only where each step would say yes:

- It refuses nothing. `bus.admission.steps` decides on everything that is not plain, and it alone refuses.
- It skips no step. Each step is done below under its number, by the same functions or by a stricter check.
- It returns the same value, field by field. Tests compare both ways on mutated messages and on lanes without one check.

A plain message has a header block that is byte for byte what a publisher writes, with at most the line that a sourcing
stream adds; one signature of the issuer, alone or in a batch; and a payload that is byte for byte what `encode` writes.
Its content may be anything that the rules and the registry allow.

Each pass goes over the whole batch, so that code and tables stay in the processor's caches: that is where the time goes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from bus.admission.steps import Admitted, labels_of
from bus.admission.verdict import Judged, Message, Refused, decide
from bus.errors import Proof
from bus.keys import check_entries, holds_under
from bus.trust import CLOCK_SKEW, RegisteredKey, Speaker, TrustState, VerifiedRegistry
from schemas import merkle, rules
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, as_written, digest_text
from schemas.envelope import (
    SIG_HEADER,
    TYP_BULLETIN,
    Context,
    b64u,
    hint_lines,
    hints,
    parse_header,
    unb64u,
)
from schemas.errors import EnvelopeError
from schemas.registry import KeyRecord

_BEGINS = f"NATS/1.0\r\n{SIG_HEADER}: ".encode()
_LINE_ENDS = b"\r"
"""The first byte of a line end. One byte is found ten times as fast as two, and the bytes after it are compared."""
_END = b"\r\n\r\n"
_SOURCE = "Nats-Stream-Source"
_SOURCE_LINE = f"\r\n{_SOURCE}:".encode()
MAX_PLAIN_BLOCK = 16 * 1024
"""Bytes: far more than one signature needs, and less than the smallest bound on headers."""
_PLACE = re.compile(r"(0|[1-9][0-9]?)\.([A-Za-z0-9_-]{43,256})", re.ASCII)
_Leaf = tuple[int, str]
"""Index of a message in a batch, and its place in the tree by its header."""


class Arrived(Protocol):
    """A message as it came, with its header block byte for byte."""

    @property
    def subject(self) -> str:
        """The subject that it was published on."""

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


def judge(
    stream: str, batch: Sequence[Arrived], registry: VerifiedRegistry, now: dt.datetime
) -> list[Judged | Refused]:
    """Decide on messages, in their order, with the results of `decide`. It raises nothing for any bytes.

    Args:
        stream: where they came from.
        batch: the messages.
        registry: who may say what.
        now: the present, aware.
    """
    hashes = [sha256(each.payload).digest() for each in batch]
    names = [digest_text(each) for each in hashes]
    values = [_value(each.block) if 0 < len(each.payload) <= MAX_PAYLOAD_BYTES else "" for each in batch]
    keys = _signers(values, hashes, batch, registry)
    read = [None if key is None else as_written(each.payload) for key, each in zip(keys, batch, strict=True)]
    trust = registry.state(now)
    found: list[Judged | Refused] = []
    for each, name, value, key, bulletin in zip(batch, names, values, keys, read, strict=True):
        if key is not None and bulletin is not None:
            plain = _stands(stream, each, name, value, key, bulletin, registry, trust, now)
            if plain is not None:
                found.append(plain)
                continue
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


def _value(block: bytes) -> str:
    """Steps 0 and 1: the signature in the first line of the block; empty if that line has none.

    `_source` checks that its line ends there and that no other one follows.
    """
    if len(block) > MAX_PLAIN_BLOCK or not block.startswith(_BEGINS):
        return ""
    value = block[len(_BEGINS) : block.find(_LINE_ENDS, len(_BEGINS))]
    return value.decode("latin-1")  # every block is read as Latin-1


def _signers(
    values: Sequence[str], hashes: Sequence[bytes], batch: Sequence[Arrived], registry: VerifiedRegistry
) -> list[RegisteredKey | None]:
    """Steps 2, 3 and 4: for each message the key whose one signature verifies, without a time or certificate of its own."""
    keys: list[RegisteredKey | None] = [None] * len(batch)
    trees: dict[str, list[_Leaf]] = {}
    for n, value in enumerate(values):
        jws, tilde, place = value.partition("~")
        if tilde:
            trees.setdefault(jws, []).append((n, place))
        elif value:
            keys[n] = _lone_signer(value, batch[n].payload, registry)
    for jws, leaves in trees.items():
        root = registry.roots.get(jws)
        for n, _ in leaves if root is None else ():
            if _signer(values[n], batch[n].payload, registry) is not None:
                root = registry.roots.get(jws)
                break
        if root is not None:
            size, hash_, key = root
            written = _places(leaves, hashes, size, hash_)
            for (n, place), expected in zip(leaves, written, strict=True):
                if place == expected or _leads(hashes[n], place, size, hash_):
                    keys[n] = key
    return keys


def _places(leaves: Sequence[_Leaf], hashes: Sequence[bytes], size: int, root: bytes) -> Sequence[str | None]:
    """The places of a tree's leaves, as its signer writes them, if the leaves are a stretch of it in order.

    The root that the outermost two leaves claim is the signed one, so each path is checked to its end. Otherwise None
    for each leaf, which equals no place.
    """
    begins, ends = _place(leaves[0][1], size), _place(leaves[-1][1], size)
    if begins is not None and ends is not None and ends[0] - begins[0] == len(leaves) - 1:
        own = [merkle.leaf_of(hashes[n]) for n, _ in leaves]
        made = merkle.stretch(own, begins[0], size, begins[1], ends[1])
        if made.root == root:
            return [f"{index}.{b64u(b''.join(path))}" for index, path in enumerate(made.paths, begins[0])]
    return [None] * len(leaves)


def _lone_signer(value: str, payload: bytes, registry: VerifiedRegistry) -> RegisteredKey | None:
    """As `_signer`, for a message that is signed alone.

    A key writes the same protected header on all such messages. A header under which a signature verified was judged
    then.
    """
    protected, _, signature = value.partition("..")
    key = registry.openings.get(protected)
    if key is None:
        return _signer(value, payload, registry)
    return key if holds_under(key.public, protected, signature, payload) else None


def _signer(value: str, payload: bytes, registry: VerifiedRegistry) -> RegisteredKey | None:
    """As `_signers`, for one message, parsed and verified. It remembers the root of a batch, or the opening of a lone signature."""
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
        registry.roots.keep(value.partition("~")[0], (entry.batch.size, entry.batch.root, key))
    else:
        registry.openings.keep(entry.protected, key)
    return key


def _leads(hashed: bytes, place: str, size: int, root: bytes) -> bool:
    """Whether a place leads from a payload's hash to the root of a batch whose signature verifies."""
    found = _place(place, size)
    return found is not None and merkle.climb(merkle.leaf_of(hashed), found[0], size, found[1]) == root


def _place(text: str, size: int) -> tuple[int, list[bytes]] | None:
    """The index and the path that a place names in a tree of this size; None unless it is in its one spelling."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    index = int(match[1])
    try:
        path = unb64u(match[2])
    except EnvelopeError:
        return None
    if index >= size or len(path) != merkle.path_length(index, size) * merkle.HASH_BYTES:
        return None
    return index, [path[at : at + merkle.HASH_BYTES] for at in range(0, len(path), merkle.HASH_BYTES)]


def _stands(
    stream: str,
    each: Arrived,
    name: str,
    value: str,
    key: RegisteredKey,
    b: Bulletin,
    registry: VerifiedRegistry,
    trust: TrustState,
    now: dt.datetime,
) -> Judged | None:
    """Steps 5 to 10 for a message whose signature verifies and whose bytes are the encoder's; None if it is not plain."""
    issuer, issued = b.issuer, b.issued
    if key.authority_id != issuer.id:
        return None  # 6
    speaker = registry.speaker(issuer.id)
    if issuer != speaker.authority:
        return None  # 6
    source = _source(each.block, len(_BEGINS) + len(value), hint_lines(name))
    if source is None:
        return None  # 1 and 6: every line, and no other
    if not _alone_suffices(key.record, speaker, issued, now):
        return None  # 7
    if (way := registry.permitted(b)) is None:
        return None  # 8
    channel, subject = way
    if not rules.holds(b, subject):
        return None  # 5, its cross-field part
    if each.subject != subject:
        return None  # 9
    if issued > now + CLOCK_SKEW:
        return None  # 10
    kids = (key.public.kid,)
    headers = ((SIG_HEADER, value), *hints(name).items())
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
            signature=value,
            channel=channel,
            signer_kid=kids[0],
            signer_kids=kids,
            trust=trust,
            admitted_at=now,
            labels=labels_of(b, (), now),
            proof=Proof(subject, headers, kids, kids, False),
        ),
    )


def _alone_suffices(record: KeyRecord, speaker: Speaker, issued: dt.datetime, now: dt.datetime) -> bool:
    """Step 7: the registry requires only this key's signature, in its window, and the key is neither revoked nor expired."""
    return (
        speaker.require == (record.alg,)
        and record.not_before <= issued < record.not_after
        and record.revoked_since is None
        and now < record.not_after
    )


def _source(block: bytes, start: int, hints: str) -> tuple[tuple[str, str], ...] | None:
    """The line that a sourcing stream adds, or empty; None if the block has anything but that line and the hints.

    Args:
        block: all of it.
        start: where the line of the signature ends.
        hints: the lines that follow in the block of a publisher.
    """
    lines = hints.encode("latin-1")
    at = start + len(lines)
    if not block.startswith(lines, start):
        return None
    if not block.startswith(_SOURCE_LINE, at):
        return () if block[at:] == _END else None
    at += len(_SOURCE_LINE)
    end = block.find(_LINE_ENDS, at)
    if block[end:] != _END:
        return None
    return ((_SOURCE, block[at:end].decode("latin-1").strip(" \t")),)
