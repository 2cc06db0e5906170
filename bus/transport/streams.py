"""Streams, consumers and permissions, as data from the registry. Pure.

All streams are in one account that nobody enters (`bus.server.accounts`, docs/adr/018). `<AUTHORITY>_<STATUS>` captures
the messages of one authority at one status, with its own space and its own duplicate window: nobody can use up
another's space, or suppress another's bulletins by reusing their message ids. Streams of status beat keep the newest
message of each channel and have space for all that their subjects can hold (docs/adr/038). `WORLD_<STATUS>` has no
subjects and no duplicate window; it sources all of these, and readers read it. Messages of status system (receipts,
requests, copies) are kept for days, all others for more than a year. A lost outbox still finds its heads
(docs/adr/040): its author's stream keeps the newest heartbeats of a channel for good, and these name the heads.
`<AUTHORITY>_HEADS` sources what no heartbeat names, and keeps the newest messages of each subject for good. `TRUST`
carries the registry's versions and beacons to everybody, and only the provisioner publishes there. `STATEMENTS` carries
revocation statements, on one subject for each authority that may publish one, with its own space: rubbish displaces
only its publisher's own statements. The provisioner makes all streams and consumers. Every other identity has exactly
the subjects listed here, as allow lists, because a deny list leaks where a wildcard is wider.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bus.trust import FEEDBACK, VerifiedRegistry
from schemas.codec import MAX_PAYLOAD_BYTES
from schemas.envelope import MAX_HEADER_BYTES
from schemas.registry import MAX_REVOKE_BYTES
from schemas.subject import (
    PREFIX,
    REGISTRAR_SUBJECTS,
    STATEMENT_SUBJECTS,
    TRUST_PREFIX,
    Channel,
    Interest,
    beat_subject,
    expand,
)
from schemas.vocab import TALK, Status

HEADER_SLACK_BYTES = 8192  # the hints and what the client adds
MAX_MESSAGE_BYTES = MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES + HEADER_SLACK_BYTES
# The header that a copy has for its origin: the stream, and the subject, which is at most a control line long.
SOURCE_BYTES = 4608
MAX_ORIGIN_BYTES = MAX_MESSAGE_BYTES - SOURCE_BYTES
"""Bytes of the largest message of an authority. Its copy has one more header; a copy that a world refuses would stop all after it."""
DUPLICATE_WINDOW_S = 24 * 3600
MAX_AGE_S = 400 * 24 * 3600
SYSTEM_AGE_S = 7 * 24 * 3600  # of heartbeats, receipts, requests and copies
MARGIN_S = 24 * 3600.0  # clocks differ, and a stream may drop a little early
DEFAULT_STORE_BYTES = 8 * 1024**3
TRUST_STREAM = "TRUST"
STATEMENTS_STREAM = "STATEMENTS"
MAX_STATEMENT_BYTES = 3 * MAX_REVOKE_BYTES  # as a file: in base64url, with a few signatures
STATEMENTS_EACH = 8
STATEMENTS_ROOM_BYTES = STATEMENTS_EACH * (MAX_STATEMENT_BYTES + 256)  # of one publisher, with overhead
PROVISIONER = "provisioner"
"""The identity that makes streams and consumers, and publishes the registrars' files. No authority's id is one word."""

# How the store is divided. A world holds all messages of its origins, and with each its origin, which may be as long as
# a control line. So an origin takes at most one message for each `CHARGE_BYTES` of its space, and a world has space for
# all of them: if a world were full while origins still accept, nobody would be told.
CHARGE_BYTES = 2048
_ORIGINS_PERCENT, _WORLDS_PERCENT, _HEADS_PERCENT, _TRUST_PERCENT, _STATEMENTS_PERCENT = 35, 55, 2, 2, 2
HEADS_EACH = 8  # of one subject: a repeat, or rubbish, replaces the oldest
BEATS_EACH = 8
"""Heartbeats kept of each channel; fewer if the store is too small."""
BEAT_ROOM_BYTES = 32 * 1024
"""Bytes of one heartbeat in a stream. Its author's stream, and the world, have this space for each that they may hold."""
MAX_BEAT_BYTES = BEAT_ROOM_BYTES - 1024  # the overhead of the store, and the origin header of a copy
_BEATS_SHARE = 8
"""Heartbeats have at most an eighth of the store; all other messages have the rest."""
ANSWERS_SHARE = 4
"""How many times the space of an authority that may only answer another authority has at a status, at the least."""
ANSWERS_PERCENT = 10
"""The most percent of a status's space for all authorities that may only answer."""
# Shares of the store by status; each publishing authority has an equal part of a share, except those that may only
# answer.
_SHARES = {Status.ACTUAL: 6, Status.EXERCISE: 1, Status.SYSTEM: 2, Status.TEST: 1}
_NS = 1_000_000_000

# Most messages of one pull request. With `PULL_WAITING` requests at a time this bounds the messages in flight to one
# identity.
PULL_MESSAGES = 500
PULL_BYTES = 8 * 1024**2
PULL_EXPIRES_S = 30
PULL_WAITING = 16


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted settings of a stream."""

    name: str
    subjects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    bursts: bool = False
    """Whether it takes atomic batches, and message ids that show duplicates."""
    max_bytes: int
    replicas: int = 1
    max_msg_size: int = MAX_MESSAGE_BYTES
    max_msgs: int | None = None
    """Most messages; by default only the space bounds them."""
    each: int | None = None
    """Most messages of one subject; a further one replaces the oldest of that subject."""
    max_age_s: int = MAX_AGE_S
    """Seconds for which a message is kept; 0 is for good."""
    gives_way: bool = False
    """Whether a full stream drops its oldest message; otherwise it refuses a further one, and its publisher is told."""
    answers: bool = False
    """Whether its authority may publish only feedback there, and so has less space."""

    def config(self) -> dict[str, Any]:
        """The body of `$JS.API.STREAM.CREATE`. Nothing here lets a message be deleted or rewritten."""
        config: dict[str, Any] = {
            "name": self.name,
            "storage": "file",
            "retention": "limits",
            "discard": "old" if self.gives_way else "new",
            "max_age": self.max_age_s * _NS,
            "max_bytes": self.max_bytes,
            "max_msg_size": self.max_msg_size,
            "deny_delete": True,
            "deny_purge": True,
            "num_replicas": self.replicas,
        }
        if self.max_msgs is not None:
            config["max_msgs"] = self.max_msgs
        if self.each is not None:
            config["max_msgs_per_subject"] = self.each
        if self.subjects:
            config["subjects"] = list(self.subjects)
        if self.bursts:
            config |= {"duplicate_window": DUPLICATE_WINDOW_S * _NS, "allow_atomic": True}
        if self.sources:
            config["sources"] = [{"name": name} for name in self.sources]
            if self.replicas == 1:
                # The origins hold the same messages durably. A tail lost in a power cut is sourced again, and a reader
                # with its cursor in it notices that its record is another (docs/adr/005).
                config["persist_mode"] = "async"
        return config


class ConsumerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted settings of a durable pull consumer; its reader owns the cursor, so nothing is acknowledged."""

    stream: str
    name: str
    filters: tuple[str, ...]

    def config(self) -> dict[str, Any]:
        """The `config` of `$JS.API.CONSUMER.CREATE`."""
        return {
            "durable_name": self.name,
            "name": self.name,
            "deliver_policy": "all",
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_waiting": PULL_WAITING,
            "max_batch": PULL_MESSAGES,
            "max_bytes": PULL_BYTES,
            "max_expires": PULL_EXPIRES_S * _NS,
            "filter_subjects": list(self.filters),
        }


_SERVERS_OWN = ("metadata", "duplicate_window")
"""Settings that the server fills in itself; no stream without bursts receives a message id, and the window of a world is checked apart."""
_DEFAULTS: tuple[Any, ...] = (None, False, 0, -1, "", "none", [], {})
"""The values by which the server shows that a setting does nothing."""


def consumer_differs(spec: ConsumerSpec, config: dict[str, Any]) -> tuple[str, ...]:
    """The names of a consumer's settings, as the server reports them, that differ from the wanted ones."""
    wanted = spec.config()
    wanted.pop("filter_subjects")
    different = [key for key, value in wanted.items() if config.get(key) != value]
    if set(config.get("filter_subjects") or [config.get("filter_subject")]) != set(spec.filters):
        different.append("filter_subjects")
    return (*different, *beyond(config, wanted, "filter_subject", "filter_subjects"))


def beyond(config: Mapping[str, Any], wanted: Collection[str], *judged: str) -> tuple[str, ...]:
    """The names of settings of a stream or consumer that nobody wants and that differ from the server's default.

    An added limit, republish, transform or pause changes what readers get as much as a wrong setting does.

    Args:
        config: the settings, as the server reports them.
        wanted: the names of the wanted settings.
        judged: the names of settings that are compared elsewhere.
    """
    known = {*wanted, *judged, *_SERVERS_OWN}
    return tuple(key for key, value in config.items() if key not in known and value not in _DEFAULTS)


def origin_stream(authority_id: str, status: Status) -> str:
    """The stream that captures an authority's own bulletins of a status."""
    return f"{authority_id}_{status}".upper()


def heads_stream(authority_id: str) -> str:
    """The stream that keeps the newest messages of each subject that no heartbeat of an authority names (`unnamed`)."""
    return f"{authority_id}_HEADS".upper()


def is_an_authoritys(stream: str) -> bool:
    """Whether a stream, by its name, holds one authority's messages, even if the authority has left the registry."""
    owner, _, kind = stream.rpartition("_")
    return "-" in owner and kind in {*(status.upper() for status in Status), "HEADS"}


def status_of(stream: str) -> str:
    """The status of the bulletins in an origin or a world, in lower case."""
    return stream.rpartition("_")[2].lower()


def kept_s(stream: str) -> int:
    """Seconds for which an origin or a world keeps a message; an origin keeps the newest heartbeats for good."""
    return SYSTEM_AGE_S if status_of(stream) in TALK else MAX_AGE_S


def keeps_all(stream: str) -> bool:
    """Whether an origin or a world keeps each message until it is too old; a stream of heartbeats keeps only the newest."""
    return status_of(stream) != Status.BEAT


def world_stream(status: Status) -> str:
    """The stream that readers read."""
    return f"WORLD_{status.upper()}"


def inbox_prefix(authority_id: str) -> str:
    """The private prefix of an identity's replies."""
    return f"_INBOX_{authority_id}"


def speakers(registry: VerifiedRegistry) -> tuple[tuple[str, Status], ...]:
    """(authority id, status) for each status at which an authority may publish, sorted."""
    spoken = {
        (name, status)
        for name in registry.document.authorities
        for status, _, _ in registry.publish_prefixes(name)
    }
    return tuple(sorted(spoken))


def is_spoken(registry: VerifiedRegistry, status: Status) -> bool:
    """Whether any authority may publish at a status."""
    return any(
        at is status for name in registry.document.authorities for at, _, _ in registry.publish_prefixes(name)
    )


def only_answering(registry: VerifiedRegistry, status: Status) -> frozenset[str]:
    """The authorities that may publish only feedback at a status."""
    return frozenset(
        name
        for name, at in speakers(registry)
        if at is status and all(way[0] is not status for way in registry.granted_prefixes(name))
    )


def country_of(authority_id: str) -> str:
    """The country code at the start of an authority's id, in lower case."""
    return authority_id.split("-", 1)[0]


def _room_of(room: int, speaking: Sequence[str], answering: Collection[str]) -> Mapping[str, int]:
    """Bytes for each publisher of a status.

    Authorities that may only answer have a smaller share, and a tenth of the space together if others publish.
    """
    answers = sum(name in answering for name in speaking)
    others = len(speaking) - answers
    of_answers = room * answers // max(1, answers + ANSWERS_SHARE * others)
    if others:
        of_answers = min(of_answers, room * ANSWERS_PERCENT // 100)
    small = of_answers // max(1, answers)
    large = (room - of_answers) // max(1, others)
    return {name: small if name in answering else large for name in speaking}


def streams_of(
    registry: VerifiedRegistry,
    store_bytes: int = DEFAULT_STORE_BYTES,
    replicas: int = 1,
    served: Iterable[str] | None = None,
) -> tuple[StreamSpec, ...]:
    """Every stream, origins before the streams that source them; together they fit into the store with space to spare.

    Nothing is sent to `STATEMENTS` with a message id: many publish there, and nobody must suppress another's statement
    by its id.

    Args:
        registry: the publishers and readers.
        store_bytes: the size of the broker's file store.
        replicas: copies of each stream, if the broker is a cluster.
        served: the authorities whose newest messages are kept for good; all by default.
    """
    spoken = speakers(registry)
    here = registry.document.authorities if served is None else served
    remembered = {name for name in here if unnamed(registry, name)}
    beats = _beat_streams(registry, store_bytes)
    store_bytes -= sum(spec.max_bytes for spec in beats)
    whole = sum(_SHARES.values()) * 100
    parts = {status: store_bytes * share // whole for status, share in _SHARES.items()}
    speaking = {status: [name for name, at in spoken if at is status] for status in _SHARES}
    answering = {status: only_answering(registry, status) for status in _SHARES}
    rooms = {
        status: _room_of(parts[status] * _ORIGINS_PERCENT, names, answering[status])
        for status, names in speaking.items()
    }
    trust = StreamSpec(
        name=TRUST_STREAM,
        subjects=REGISTRAR_SUBJECTS,
        max_bytes=store_bytes * _TRUST_PERCENT // 100,
    )
    statements = StreamSpec(
        name=STATEMENTS_STREAM,
        subjects=(STATEMENT_SUBJECTS,),
        max_bytes=store_bytes * _STATEMENTS_PERCENT // 100,
        max_msg_size=MAX_STATEMENT_BYTES,
        each=STATEMENTS_EACH,
    )
    origins = [
        StreamSpec(
            name=(name := origin_stream(authority, status)),
            subjects=(captured(authority, status),),
            bursts=True,
            max_msg_size=MAX_ORIGIN_BYTES,
            max_bytes=(room := rooms[status][authority]),
            max_msgs=max(1, room // CHARGE_BYTES),
            max_age_s=kept_s(name),
            answers=authority in answering[status],
        )
        for authority, status in spoken
        if status is not Status.BEAT
    ]
    heads = [
        StreamSpec(
            name=heads_stream(authority),
            sources=tuple(origin_stream(authority, status) for status in unnamed(registry, authority)),
            max_bytes=store_bytes * _HEADS_PERCENT // 100 // len(remembered),
            each=HEADS_EACH,
            max_age_s=0,
            gives_way=True,
        )
        for authority in sorted(remembered)
    ]
    worlds = [
        StreamSpec(
            name=(name := world_stream(status)),
            sources=tuple(origin_stream(authority, status) for authority in speaking[status]),
            max_bytes=parts[status] * _WORLDS_PERCENT,
            max_age_s=kept_s(name),
        )
        for status in _SHARES
        if speaking[
            status
        ]  # without sources it would capture its own name as a subject, and have a duplicate window
    ]
    specs = (trust, statements, *origins, *beats[:-1], *heads, *worlds, *beats[-1:])
    return tuple(msgspec.structs.replace(spec, replicas=replicas) for spec in specs)


def _beat_streams(registry: VerifiedRegistry, store_bytes: int) -> tuple[StreamSpec, ...]:
    """The streams of heartbeats, their world last; empty if nobody may send heartbeats.

    A channel has one subject, and a stream captures no others. So the number of an authority's messages in the world is
    bounded, however many it sends. Each stream has space for the largest of all that it may hold.
    """
    subjects: dict[str, list[str]] = {}
    for name, status in speakers(registry):
        if status is Status.BEAT:
            domain = registry.authority(name).domain
            subjects[name] = [beat_subject(channel, domain) for channel in beat_channels(registry, name)]
    channels = sum(map(len, subjects.values()))
    if not channels:
        return ()
    least = 2 * channels * BEAT_ROOM_BYTES
    each = max(1, min(BEATS_EACH, store_bytes // _BEATS_SHARE // least))
    # If not even one of each fits, the largest have no space; `server check` fails.
    room = min(BEAT_ROOM_BYTES, store_bytes // _BEATS_SHARE // (2 * channels * each))

    def stream(name: str, count: int, **more: Any) -> StreamSpec:
        return StreamSpec(
            name=name,
            max_bytes=count * each * room,
            each=each,
            gives_way=True,
            **more,
        )

    origins = [
        stream(
            origin_stream(name, Status.BEAT),
            len(own),
            max_age_s=0,  # they name the heads of messages that other streams have dropped
            subjects=tuple(own),
            bursts=True,
            max_msg_size=MAX_BEAT_BYTES,
        )
        for name, own in subjects.items()
    ]
    world = stream(
        world_stream(Status.BEAT),
        channels,
        max_age_s=SYSTEM_AGE_S,
        sources=tuple(each.name for each in origins),
    )
    return (*origins, world)


def unnamed(registry: VerifiedRegistry, authority_id: str) -> tuple[Status, ...]:
    """The statuses of an authority with a channel whose head its heartbeats do not name for good.

    The authority may send no heartbeats at that channel's TLP and audience; or the status is system, whose heads
    heartbeats name only while the stream keeps them. Channels of only feedback are not counted: their heads are found while
    streams keep them.
    """
    ways = registry.granted_prefixes(authority_id)
    named = {(tlp, audience) for status, tlp, audience in ways if status is Status.BEAT}
    found = {
        status for status, tlp, audience in ways if status is Status.SYSTEM or (tlp, audience) not in named
    }
    return tuple(status for status in Status if status in found)


def captured(authority_id: str, status: Status) -> str:
    """The subjects that an authority's stream of a status captures."""
    cc, org = authority_id.split("-", 1)
    return f"{PREFIX}.{status}.*.*.{cc}.{org}.>"


def consumers(registry: VerifiedRegistry, served: Iterable[str] | None = None) -> tuple[ConsumerSpec, ...]:
    """Every consumer: those of all on the trust streams, of readers on the worlds, of publishers on their own streams and receipts.

    Args:
        registry: the authorities that read and publish.
        served: those that connect to this broker; all by default.
    """
    served = tuple(sorted(registry.document.authorities if served is None else served))
    specs = [spec for name in (PROVISIONER, *served) for spec in trust_consumers(name)]
    for name in served:
        reads = registry.read_prefixes(name)
        speaks = publish_channels(registry, name)
        hears = registry.heard_prefixes(name)
        for status in Status:
            filters = expand(Interest(statuses=(status,)), reads) + expand(
                Interest(statuses=(status,), topics=(FEEDBACK,)), hears
            )
            if filters and is_spoken(registry, status):
                specs.append(ConsumerSpec(stream=world_stream(status), name=name, filters=filters))
            if own := tuple(f"{channel.prefix}.>" for channel in speaks if channel.status is status):
                origin = origin_stream(name, status)
                specs.append(ConsumerSpec(stream=origin, name=own_consumer(name), filters=own))
        for stream, consumer in own_heads(registry, name):
            specs.append(ConsumerSpec(stream=stream, name=consumer, filters=(f"{PREFIX}.>",)))
        filters = expand(Interest(statuses=(Status.SYSTEM,)), registry.receipt_prefixes(name))
        for stream, consumer in receipt_streams(registry, name):
            specs.append(ConsumerSpec(stream=stream, name=consumer, filters=filters))
    return tuple(specs)


def trust_consumers(identity: str) -> tuple[ConsumerSpec, ...]:
    """The consumers by which an identity reads the registry and revocation statements."""
    # Before STATEMENTS existed, TRUST took statements too; those are still read.
    filters = {STATEMENTS_STREAM: STATEMENT_SUBJECTS, TRUST_STREAM: f"{TRUST_PREFIX}.>"}
    return tuple(
        ConsumerSpec(stream=stream, name=identity, filters=(pattern,)) for stream, pattern in filters.items()
    )


def own_consumer(authority_id: str) -> str:
    """The consumer by which a publisher reads back its own channels."""
    return f"{authority_id}_own"


def receipts_consumer(authority_id: str) -> str:
    """The consumer by which a publisher reads the receipts for its bulletins."""
    return f"{authority_id}_receipts"


def receipt_streams(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs by which a publisher reads receipts; empty if nobody may send any."""
    if not registry.receipt_prefixes(authority_id) or not is_spoken(registry, Status.SYSTEM):
        return ()
    return ((world_stream(Status.SYSTEM), receipts_consumer(authority_id)),)


def reader_streams(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs that a reader attaches to; none for a status without publishers, which has no world."""
    ways = (*registry.read_prefixes(authority_id), *registry.heard_prefixes(authority_id))
    statuses = {status for status, _, _ in ways}
    return tuple(
        (world_stream(status), authority_id)
        for status in Status
        if status in statuses and is_spoken(registry, status)
    )


def own_streams(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs by which a publisher reads back its own channels."""
    statuses = {status for status, _, _ in registry.publish_prefixes(authority_id)}
    return tuple(
        (origin_stream(authority_id, status), own_consumer(authority_id))
        for status in Status
        if status in statuses
    )


def own_heads(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs by which a publisher finds its newest messages that no heartbeat of its own names, of any age."""
    if not unnamed(registry, authority_id):
        return ()
    return ((heads_stream(authority_id), own_consumer(authority_id)),)


def publish_channels(registry: VerifiedRegistry, authority_id: str) -> tuple[Channel, ...]:
    """The channels on which an authority may publish, sorted."""
    ways = registry.publish_prefixes(authority_id)
    return tuple(
        Channel(issuer=authority_id, status=status, tlp=tlp, audience=audience)
        for status, tlp, audience in ways
    )


def beat_channels(registry: VerifiedRegistry, authority_id: str) -> tuple[Channel, ...]:
    """The channels on which an authority may send heartbeats, one for each (tlp, audience)."""
    return tuple(each for each in publish_channels(registry, authority_id) if each.status is Status.BEAT)
