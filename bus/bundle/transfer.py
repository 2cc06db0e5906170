"""Bundles over an air gap: what goes into a bundle, who may get it, and how a hub takes one in.

A bundle has every link of the chosen channels, also refused ones that hold their place, so that a reader finds no false
gap. Nothing is left out silently: one bulletin that the recipients may not read refuses the whole bundle.

Taking in works as from the bus: registry versions step by step, then every bulletin through admission, chain and
quarantine. Known bulletins are recognised, so a bundle may be taken in twice, and bundles in any order.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import msgspec

from bus.admission import Message, decide
from bus.bundle.file import Carried, Current, Opening, Statement, Version, read, trust_line
from bus.errors import PermitError, StoreError, TrustError
from bus.subscribing import Inbox
from bus.trust import RegistryStore, VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.codec import decode, digest
from schemas.envelope import SIG_HEADER, TYP_REGISTRY, Context, b64u, read_signed
from schemas.errors import EnvelopeError, SchemaError
from schemas.passing_on import embargo, why_held
from schemas.registry import MAX_REGISTRY_BYTES
from schemas.subject import Channel, Interest, Trust, parse
from schemas.vocab import TLP_RANK, RefRel, Tlp

STREAM = "bundle"
AT_ONCE = 500
NAMED_ONLY = frozenset({Tlp.RED, Tlp.AMBER_STRICT})
"""TLP levels that need named recipients who may read them."""
_ENDING = frozenset({RefRel.SUPERSEDES, RefRel.CANCELS})

OF_STORE = """
SELECT l.channel, l.seq, l.received_at AS moment,
  coalesce((SELECT subject FROM admitted WHERE row = l.row), q.subject) AS subject,
  coalesce((SELECT payload FROM admitted WHERE row = l.row), q.payload) AS payload,
  (SELECT signature FROM admitted WHERE row = l.row) AS signature, q.headers, l.digest
FROM links l
LEFT JOIN quarantine q ON q.n = (SELECT min(n) FROM quarantine WHERE digest = l.digest AND reason = l.reason)
"""
"""The bulletins that a reader holds in its chains."""

OF_OUTBOX = """
SELECT channel, seq, kept_at AS moment, subject, payload, NULL AS signature, headers, digest
FROM outbox WHERE state IN ('kept', 'stored')
"""
"""The bulletins that an authority has published itself."""


class Chosen(NamedTuple):
    """One chosen bulletin: its place as its table names it, and its channel."""

    place: str
    seq: int
    channel: Channel


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """The result of taking in a bundle. `left_aside`: statements and beacons that are not valid here, each with its reason."""

    version: int
    versions: int
    statements: int
    left_aside: tuple[str, ...]
    admitted: int
    known: int
    refused: int
    early: int
    trust: str


# -- out --------------------------------------------------------------------------------------------------------


def choose(
    db: sqlite3.Connection,
    of: str,
    interest: Interest,
    channels: Sequence[Channel],
    since: dt.datetime | None,
    fits: Callable[[Bulletin], bool] | None = None,
) -> list[Chosen]:
    """The wanted bulletins, in order of arrival.

    Args:
        db: a store or an outbox.
        of: `OF_STORE` or `OF_OUTBOX`.
        interest: topics and statuses.
        channels: only these; all if empty.
        since: only bulletins that came then or later.
        fits: whether a bulletin is wanted by its content. Updates and cancels of a wanted one come too; refused ones do
            not.
    """
    rows = db.execute(
        f"SELECT channel, seq, subject FROM ({of}) WHERE moment >= ? AND subject IS NOT NULL ORDER BY moment, channel, seq",
        (0 if since is None else since.timestamp(),),
    )
    chosen = []
    for place, seq, text in rows:
        try:
            subject = parse(text)
        except SchemaError:  # a refused bulletin on a subject that is not ours
            subject = None
        # A reader's place comes from the signed content; nothing else of a refused bulletin is reliable.
        channel = Channel.parse(place) if subject is None or "/" in place else subject.channel
        wanted = not interest.topics if subject is None else interest.matches(subject)
        if wanted and (not channels or channel in channels):
            chosen.append(Chosen(place, seq, channel))
    return chosen if fits is None else _fitting(db, of, chosen, fits)


def _fitting(
    db: sqlite3.Connection, of: str, chosen: Sequence[Chosen], fits: Callable[[Bulletin], bool]
) -> list[Chosen]:
    """The bulletins that fit, with their updates and cancels, so that nobody gets one without its end."""
    sql = f"SELECT payload FROM ({of}) WHERE channel = ? AND seq = ?"
    wanted: set[str] = set()
    ending: list[tuple[str, frozenset[str]]] = []
    ids: list[str] = []
    for place, seq, _ in chosen:
        row = db.execute(sql, (place, seq)).fetchone()
        bulletin = _decoded(row["payload"] if row is not None else None)
        ids.append("" if bulletin is None else bulletin.id)
        if bulletin is None:
            continue
        if fits(bulletin):
            wanted.add(bulletin.id)
        if targets := frozenset(ref.id for ref in bulletin.references if ref.rel in _ENDING):
            ending.append((bulletin.id, targets))
    count = -1
    while count != len(wanted):
        count = len(wanted)
        wanted.update(id_ for id_, targets in ending if not targets.isdisjoint(wanted))
    return [each for each, id_ in zip(chosen, ids, strict=True) if id_ in wanted]


def _decoded(payload: bytes | None) -> Bulletin | None:
    try:
        return None if payload is None else decode(payload)
    except SchemaError:  # refused bytes may be no bulletin
        return None


def carried(db: sqlite3.Connection, of: str, chosen: Sequence[Chosen]) -> list[Carried]:
    """These bulletins, byte for byte, without those removed from the store since they were chosen.

    Raises:
        StoreError: `row-damaged`, the bytes of one of them have changed.
    """
    sql = f"SELECT * FROM ({of}) WHERE channel = ? AND seq = ?"
    rows = [db.execute(sql, (place, seq)).fetchone() for place, seq, _ in chosen]
    for row in rows:
        if row is not None and row["payload"] and digest(row["payload"]) != row["digest"]:
            raise StoreError(
                f"number {row['seq']} on {row['channel']} is not what was signed: its bytes have changed on this disk",
                remedy="leave its channel out, or scrub first",
                reason="row-damaged",
            )
    return [
        Carried(
            subject=row["subject"],
            sig=row["signature"] or _signature(row["headers"]),
            payload=b64u(row["payload"]),
        )
        for row in rows
        if row is not None and row["payload"] is not None
    ]


def _signature(headers: str) -> str:
    """The signature among headers that were kept as pairs or as a mapping."""
    pairs: dict[str, str] = dict(msgspec.json.decode(headers))
    return next(value for name, value in pairs.items() if name.lower() == SIG_HEADER.lower())


def trust_lines(held: RegistryStore) -> Iterator[Version | Statement | Current]:
    """The lines of the held registry: every version from the pinned one on, statements, beacon."""
    for raw in held.versions():
        yield trust_line(Trust.REGISTRY, raw)
    for raw in held.statements():
        yield trust_line(Trust.REVOKE, raw)
    if (beacon := held.beacon()) is not None:
        yield trust_line(Trust.BEACON, beacon)


def by_channel(chosen: Sequence[Chosen]) -> dict[Channel, int]:
    """The number of bulletins of each channel, the narrowest TLP first."""
    counts = Counter(bulletin.channel for bulletin in chosen)
    return {channel: counts[channel] for channel in sorted(counts, key=lambda c: (-TLP_RANK[c.tlp], c))}


def permit(channels: Mapping[Channel, int], to: str | None, registry: VerifiedRegistry) -> None:
    """Refuse a bundle that its recipient may not read.

    Args:
        channels: the channels in it.
        to: the audience or authority that it is for.
        registry: who may read what.

    Raises:
        PermitError: `not-permitted`, with a channel and those who may not read it; `unknown-audience`.
    """
    if to is None:
        for channel in channels:
            if channel.tlp in NAMED_ONLY:
                raise PermitError(
                    f"{channel} is TLP:{channel.tlp.upper()}: name its readers (--to AUDIENCE), or leave it out "
                    "(--channel, --topic)",
                    reason="not-permitted",
                )
        return
    readers = _readers(to, registry)
    for channel in channels:
        if channel.tlp is Tlp.CLEAR:
            continue
        strangers = [reader for reader in readers if not registry.may_read(reader, channel)]
        if strangers or not readers:
            raise PermitError(
                f"{', '.join(strangers) or to} may not read {channel}; narrow the bundle (--channel, --topic) or its "
                "readers (--to)",
                reason="not-permitted",
            )


def _readers(to: str, registry: VerifiedRegistry) -> tuple[str, ...]:
    """The authorities that a bundle is for.

    Raises:
        PermitError: `unknown-audience`.
    """
    audience = registry.document.audiences.get(to)
    if audience is not None:
        return tuple(audience.members)
    if to not in registry.document.authorities:
        raise PermitError(f"the registry has no audience and no authority {to}", reason="unknown-audience")
    return (to,)


def hold(
    db: sqlite3.Connection,
    of: str,
    chosen: Sequence[Chosen],
    to: str | None,
    registry: VerifiedRegistry,
    now: dt.datetime,
) -> None:
    """Refuse a bundle with a bulletin whose author does not release it to the bundle's recipients.

    Args:
        db: a store or an outbox.
        of: `OF_STORE` or `OF_OUTBOX`.
        chosen: the chosen bulletins; `permit` has allowed their channels.
        to: the audience or authority that it is for; None for anybody.
        registry: who is of which country, and may read what.
        now: the present, aware.

    Raises:
        PermitError: `embargoed`, `not-releasable`, with the first such bulletin and what to do.
    """
    sql = f"SELECT payload FROM ({of}) WHERE channel = ? AND seq = ?"
    readers = _readers(to, registry) if to is not None else ()
    countries = None if to is None else {registry.authority(reader).country for reader in readers}
    for place, seq, channel in chosen:
        row = db.execute(sql, (place, seq)).fetchone()
        said = _restricted(row["payload"] if row is not None else b"")
        if said is None:
            continue
        # Public bulletins go to any audience, but not before their embargo ends.
        named = countries
        if embargo(said, now) and not all(registry.may_read(reader, channel) for reader in readers):
            named = None
        if held := why_held(said, now, named):
            then = (
                "name readers who may all read it (--to), or wait"
                if held.reason == "embargoed"
                else "narrow its readers (--to)"
            )
            raise PermitError(
                f"{said.id}, number {seq} on {channel}, {held.text}; {then}, or leave its channel out (--channel, --topic)",
                reason=held.reason,
            )


def _restricted(payload: bytes) -> Bulletin | None:
    """The bulletin in a payload, if it restricts its recipients or its time; None otherwise, or if the bytes are no bulletin."""
    if b'"embargo_until"' not in payload and b'"releasable_to"' not in payload:
        return None
    try:
        return decode(payload)
    except SchemaError:
        return None


# -- in ---------------------------------------------------------------------------------------------------------


async def take_in(
    file: BinaryIO, *, store: Inbox, held: RegistryStore, clock: Callable[[], dt.datetime]
) -> Taken:
    """Take in a bundle that `bus.bundle.file.check` found complete.

    Args:
        file: the bundle, at its beginning.
        store: the reader's store; best opened without hold-back, since nothing follows a bundle.
        held: takes the registry in.
        clock: the present, aware.

    Raises:
        TrustError: `domain`, `fork`, `skip` and others: this reader cannot follow to its registry. Only valid versions
            have been taken in then.
        BundleError: the file differs from the one that was checked.
        StoreError: the store fails.
    """
    counts: Counter[str] = Counter()
    left: list[str] = []
    batch: list[Message] = []
    number = 0
    for line in read(file):
        if isinstance(line, Opening):
            if line.domain != held().domain:
                raise TrustError(
                    f"the bundle is of {line.domain}, but this identity is of {held().domain}",
                    reason="domain",
                )
        elif isinstance(line, Version):
            counts["versions"] += _follow(held, line.file.encode())
        elif isinstance(line, Statement | Current):
            kind = "statements" if isinstance(line, Statement) else "beacons"
            try:
                counts[kind] += held.take(line.file.encode())
            except TrustError as exc:
                if exc.reason == "fork":
                    raise
                left.append(f"{kind.removesuffix('s')}: {exc} [{exc.reason}]")
        elif isinstance(line, Carried):
            number += 1
            batch.append(_message(line, number))
            if len(batch) == AT_ONCE:
                await _settle(batch, store, held(), clock(), counts)
                batch = []
    if batch:
        await _settle(batch, store, held(), clock(), counts)
    await store.release(clock())
    await store.amend(held(), clock())
    return Taken(
        version=held().version,
        versions=counts["versions"],
        statements=counts["statements"],
        left_aside=tuple(left),
        admitted=counts["admitted"] + counts["held"],
        known=counts["duplicate"],
        refused=counts["refused"],
        early=counts["early"],
        trust=str(held().state(clock())),
    )


class _Number(msgspec.Struct, frozen=True):
    version: int


def _follow(held: RegistryStore, raw: bytes) -> bool:
    """Take in the version after the held one; earlier versions are skipped.

    An old version cannot be verified by the present root, and need not be, because nothing is taken from it. A number
    is read only after the roots' signatures are verified, so an unsigned version accuses nobody.

    Raises:
        TrustError: as `RegistryStore.take`; `fork` if the roots have signed another version of this number.
    """
    registry = held()
    try:
        return held.take(raw)
    except TrustError as exc:
        if exc.reason not in ("rollback", "threshold"):
            raise _unfollowed(registry, exc) from None
        number = _number(raw, registry.domain)
        if number < registry.version:
            return False
        if number == registry.version and exc.reason == "rollback":
            raise TrustError(
                f"version {number} in the bundle differs from the version {number} that is held: a split view",
                reason="fork",
            ) from None
        raise _unfollowed(registry, exc) from None


def _unfollowed(registry: VerifiedRegistry, exc: TrustError) -> TrustError:
    return TrustError(
        f"the bundle's registry does not continue version {registry.version}, which is held here: {exc}",
        reason=exc.reason,
    )


def _number(raw: bytes, domain: str) -> int:
    try:
        payload = read_signed(raw, Context(TYP_REGISTRY, domain), max_bytes=MAX_REGISTRY_BYTES).payload
        return msgspec.json.decode(payload, type=_Number).version
    except (EnvelopeError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise TrustError(
            f"a version in the bundle is malformed: {exc}", reason="malformed-registry"
        ) from None


def _message(line: Carried, number: int) -> Message:
    payload = line.payload_bytes()
    return Message(
        subject=line.subject,
        headers=((SIG_HEADER, line.sig),),
        payload=payload,
        stream=STREAM,
        stream_seq=number,
        digest=digest(payload),
    )


async def _settle(
    batch: list[Message], store: Inbox, registry: VerifiedRegistry, now: dt.datetime, counts: Counter[str]
) -> None:
    judged = await asyncio.to_thread(lambda: [decide(message, registry, now) for message in batch])
    counts.update(await store.settle(judged, STREAM, None, now))
