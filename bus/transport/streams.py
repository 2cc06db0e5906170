"""Streams, consumers and permissions, as data from the registry. Pure.

All streams live in one account that nobody enters (`bus.server.accounts`, docs/adr/018). `<AUTHORITY>_<STATUS>` captures
what one authority says at one status, with its own room and its own duplicate window: nobody can use up another's room, or
suppress another's bulletins by reusing their message ids. Those of status beat keep the newest of each channel and have the
room for all that their subjects can hold (docs/adr/038). `WORLD_<STATUS>` has no subjects and no duplicate window; it
sources all of them and is what readers read. What an authority says on status system, receipts, requests and
copies, is kept for days, all else for more than a year. A lost outbox finds its heads all the same (docs/adr/040): the newest
heartbeats of a channel are kept for good in their author's stream, and name what it had said till then; what no heartbeat
names, `<AUTHORITY>_HEADS` sources, and keeps the newest messages of each subject for good. `TRUST` carries the registry to everybody, its versions and
beacons, and only the provisioner speaks there. `STATEMENTS` carries revocation statements, on a subject for each who may
say one, with room of its own: rubbish pushes out its speaker's own words and nobody else's. The provisioner makes all
this; every other identity has exactly the subjects listed here, as allow lists: a deny list leaks where a wildcard is wider.
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
# What a copy says of where it came from: the stream, and the subject, which is at most a control line long.
SOURCE_BYTES = 4608
MAX_ORIGIN_BYTES = MAX_MESSAGE_BYTES - SOURCE_BYTES
"""The largest message of an authority. Its copy has a header more; one that a world refuses would stop all after it."""
DUPLICATE_WINDOW_S = 24 * 3600
MAX_AGE_S = 400 * 24 * 3600
SYSTEM_AGE_S = 7 * 24 * 3600  # of heartbeats, receipts, requests and copies
MARGIN_S = 24 * 3600.0  # clocks differ, and a stream lets go a little early
DEFAULT_STORE_BYTES = 8 * 1024**3
TRUST_STREAM = "TRUST"
STATEMENTS_STREAM = "STATEMENTS"
MAX_STATEMENT_BYTES = 3 * MAX_REVOKE_BYTES  # as a file: in base64url, with a few signatures
STATEMENTS_EACH = 8
STATEMENTS_ROOM_BYTES = STATEMENTS_EACH * (MAX_STATEMENT_BYTES + 256)  # a speaker's, with what the store adds
PROVISIONER = "provisioner"
"""The identity that makes streams and consumers, and says what the registrars say. No authority's id is one word."""

# How the store is shared out. A world holds all that its origins hold, and with each message where it came from, which
# may be as long as a control line. So an origin takes no more messages than one for each `CHARGE_BYTES` of its room, and a
# world has the room for that: were it full while they still accept, nobody would be told.
CHARGE_BYTES = 2048
_ORIGINS_PERCENT, _WORLDS_PERCENT, _HEADS_PERCENT, _TRUST_PERCENT, _STATEMENTS_PERCENT = 35, 55, 2, 2, 2
HEADS_EACH = 8  # of one subject: what is said again, or rubbish, takes the place of the oldest
BEATS_EACH = 8
"""How many heartbeats of a channel are kept; fewer where the store is too small for so many."""
BEAT_ROOM_BYTES = 32 * 1024
"""The room of one heartbeat in a stream. Its author's stream, and the world, have this for each that they may hold."""
MAX_BEAT_BYTES = BEAT_ROOM_BYTES - 1024  # what the store adds, and a copy says of where it came from
_BEATS_SHARE = 8
"""An eighth of the store at the most is for heartbeats: what they do not need is everybody else's."""
ANSWERS_SHARE = 4
"""How many times the room of an authority that may only answer another has at a status, at the least."""
ANSWERS_PERCENT = 10
"""So many hundredths of the room of a status are for those who may only answer, at the most, however many they are."""
# Of that, by status, in these parts; each authority that speaks has an equal one, but for those that may only answer.
_SHARES = {Status.ACTUAL: 6, Status.EXERCISE: 1, Status.SYSTEM: 2, Status.TEST: 1}
_NS = 1_000_000_000

# What one request of a reader asks for, and the broker grants at the most: with `PULL_WAITING` requests at a time that
# bounds what is on its way to one identity.
PULL_MESSAGES = 500
PULL_BYTES = 8 * 1024**2
PULL_EXPIRES_S = 30
PULL_WAITING = 16


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as it must stand."""

    name: str
    subjects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    bursts: bool = False
    """Whether atomic batches, and message ids that tell what came twice, are taken."""
    max_bytes: int
    replicas: int = 1
    max_msg_size: int = MAX_MESSAGE_BYTES
    max_msgs: int | None = None
    """How many messages it takes; as many as find room, by default."""
    each: int | None = None
    """How many messages of one subject are kept; a further one takes the place of the oldest of that subject."""
    max_age_s: int = MAX_AGE_S
    """For how many seconds a message is kept; 0 is for good."""
    gives_way: bool = False
    """Whether a full stream drops its oldest message; otherwise it takes no further one, and its speaker is told."""
    answers: bool = False
    """Whether its authority may say feedback alone there, and so has less room."""

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
                # What stands here stands in the origins too, durably; a tail lost with the power is sourced again, and
                # a reader whose cursor lay in it notices that its record is another (docs/adr/005).
                config["persist_mode"] = "async"
        return config


class ConsumerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A durable pull consumer as it must stand; its reader owns the cursor, so nothing is acknowledged."""

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
"""What the server fills in by itself; no stream without bursts is sent a message id, and a window on a world has its check."""
_DEFAULTS: tuple[Any, ...] = (None, False, 0, -1, "", "none", [], {})
"""How the server tells that a setting does nothing."""


def consumer_differs(spec: ConsumerSpec, config: dict[str, Any]) -> tuple[str, ...]:
    """The settings of a consumer, as the server tells them, that are not as they must stand."""
    wanted = spec.config()
    wanted.pop("filter_subjects")
    different = [key for key, value in wanted.items() if config.get(key) != value]
    if set(config.get("filter_subjects") or [config.get("filter_subject")]) != set(spec.filters):
        different.append("filter_subjects")
    return (*different, *beyond(config, wanted, "filter_subject", "filter_subjects"))


def beyond(config: Mapping[str, Any], wanted: Collection[str], *judged: str) -> tuple[str, ...]:
    """The settings of a stream or consumer that nobody asked for and that are more than the server's own default.

    A limit, a republishing, a transform or a pause that somebody added changes what readers get as much as a setting that is
    another than it should be.

    Args:
        config: as the server tells it.
        wanted: the names of the settings that are asked for.
        judged: names of settings that are compared elsewhere.
    """
    known = {*wanted, *judged, *_SERVERS_OWN}
    return tuple(key for key, value in config.items() if key not in known and value not in _DEFAULTS)


def origin_stream(authority_id: str, status: Status) -> str:
    """The stream that captures an authority's own bulletins of a status."""
    return f"{authority_id}_{status}".upper()


def heads_stream(authority_id: str) -> str:
    """The stream that keeps the newest messages of each subject of what no heartbeat of an authority names (`unnamed`)."""
    return f"{authority_id}_HEADS".upper()


def is_an_authoritys(stream: str) -> bool:
    """Whether a stream, by its name, holds what one authority says, be it in the registry or not any more."""
    owner, _, kind = stream.rpartition("_")
    return "-" in owner and kind in {*(status.upper() for status in Status), "HEADS"}


def status_of(stream: str) -> str:
    """The status whose bulletins an origin or a world holds, in lower case."""
    return stream.rpartition("_")[2].lower()


def kept_s(stream: str) -> int:
    """For how many seconds an origin or a world keeps a message; of heartbeats an origin has the newest for good."""
    return SYSTEM_AGE_S if status_of(stream) in TALK else MAX_AGE_S


def keeps_all(stream: str) -> bool:
    """Whether an origin or a world keeps what it took until that is too old; one of heartbeats keeps the newest."""
    return status_of(stream) != Status.BEAT


def world_stream(status: Status) -> str:
    """The stream that readers read."""
    return f"WORLD_{status.upper()}"


def inbox_prefix(authority_id: str) -> str:
    """The private prefix of an identity's replies."""
    return f"_INBOX_{authority_id}"


def speakers(registry: VerifiedRegistry) -> tuple[tuple[str, Status], ...]:
    """Each authority with each status at which it may publish, sorted."""
    spoken = {
        (name, status)
        for name in registry.document.authorities
        for status, _, _ in registry.publish_prefixes(name)
    }
    return tuple(sorted(spoken))


def is_spoken(registry: VerifiedRegistry, status: Status) -> bool:
    """Whether anybody may publish at a status."""
    return any(
        at is status for name in registry.document.authorities for at, _, _ in registry.publish_prefixes(name)
    )


def only_answering(registry: VerifiedRegistry, status: Status) -> frozenset[str]:
    """Those who may say feedback at a status, and nothing else."""
    return frozenset(
        name
        for name, at in speakers(registry)
        if at is status and all(way[0] is not status for way in registry.granted_prefixes(name))
    )


def country_of(authority_id: str) -> str:
    """The country, in lower case, by which an authority's id begins."""
    return authority_id.split("-", 1)[0]


def _room_of(room: int, speaking: Sequence[str], answering: Collection[str]) -> Mapping[str, int]:
    """The bytes of a room that each speaker has.

    Authorities that may only answer have a smaller share, and a tenth of the room together where others speak.
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
    """Every stream, origins before those that source them; together they fit into the store with room to spare.

    Nothing is sent to `STATEMENTS` with a message id: many speak there, and one must not suppress another's word by it.

    Args:
        registry: who speaks.
        store_bytes: the broker's file store.
        replicas: copies of each stream, where the broker is a cluster.
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
        ]  # without sources it would capture subjects of its own, and have a duplicate window
    ]
    specs = (trust, statements, *origins, *beats[:-1], *heads, *worlds, *beats[-1:])
    return tuple(msgspec.structs.replace(spec, replicas=replicas) for spec in specs)


def _beat_streams(registry: VerifiedRegistry, store_bytes: int) -> tuple[StreamSpec, ...]:
    """The streams of heartbeats, last their world; none where nobody may send any.

    A channel has one subject, and a stream captures no other, so that nobody has more than so many messages in the world,
    however much he says: each has room for the largest of all that it may hold.
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
    # Where not even one of each finds room the largest have none; `server check` fails.
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
            max_age_s=0,  # they name the heads of what other streams have let go
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

    It may send none at that channel's TLP and audience; or it is status system, of which they name a head only for as long
    as its stream keeps it. Channels of feedback alone are not counted: their heads are found for as long as streams keep them.
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
    """Every consumer: everybody's on what is said of trust, a reader's on the worlds, a publisher's own and its receipts.

    Args:
        registry: whose authorities read and speak.
        served: those of them that come to this broker; all by default.
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
    # Before there was STATEMENTS, TRUST took statements too; what stands there is read on.
    filters = {STATEMENTS_STREAM: STATEMENT_SUBJECTS, TRUST_STREAM: f"{TRUST_PREFIX}.>"}
    return tuple(
        ConsumerSpec(stream=stream, name=identity, filters=(pattern,)) for stream, pattern in filters.items()
    )


def own_consumer(authority_id: str) -> str:
    """The consumer by which a publisher reads back its own channels."""
    return f"{authority_id}_own"


def receipts_consumer(authority_id: str) -> str:
    """The consumer by which a publisher reads the receipts for what it has said."""
    return f"{authority_id}_receipts"


def receipt_streams(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs by which a publisher reads receipts: none where nobody may say any."""
    if not registry.receipt_prefixes(authority_id) or not is_spoken(registry, Status.SYSTEM):
        return ()
    return ((world_stream(Status.SYSTEM), receipts_consumer(authority_id)),)


def reader_streams(registry: VerifiedRegistry, authority_id: str) -> tuple[tuple[str, str], ...]:
    """The (stream, consumer) pairs a reader attaches to: none of a status at which nobody may speak, which has no world."""
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
    """The (stream, consumer) pairs by which a publisher finds the newest that no heartbeat of its own names, however old it is."""
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
