"""Checks that the streams, consumers and carriers of a running broker match the registry and the federation."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence

from bus.errors import BrokerError
from bus.federation import CarrierClient, Federation, unmatched
from bus.server.findings import Check, hard, soft
from bus.transport import (
    STATEMENTS_ROOM_BYTES,
    STATEMENTS_STREAM,
    Connection,
    ConsumerSpec,
    StreamSpec,
    consumer_differs,
    consumer_info,
    consumer_names,
    stream_differs,
    stream_info,
    stream_names,
)
from bus.trust import VerifiedRegistry

FULL_SHARE = 0.8
# The server retries a failing source every two seconds; a source with much to copy makes progress in that time.
LOOKS, LOOK_S = 20, 0.25


def country_check(registry: VerifiedRegistry, federation: Federation) -> Check:
    """Whether the federation's file and the registry name the same countries."""
    alone = unmatched(registry, federation)
    lacking = [
        f"{country} has no {'authority in the registry' if country in federation.countries else 'broker in the file'}"
        for country in alone
    ]
    both = f"{len(federation.countries)}, each with authorities"
    return soft("countries", not alone, both, ", ".join(lacking))


async def carrier_check(connection: Connection, guest: CarrierClient) -> Check:
    """Whether a carrier is connected, and how many messages wait for it."""
    waits, there = 0, True
    for spec in guest.consumers:
        try:
            info = await consumer_info(connection, spec.stream, spec.name)
        except BrokerError:
            there = False
            continue
        waits += info.num_pending
        there = there and info.num_waiting > 0
    return soft(guest.identity, there, f"{'attached' if there else 'not attached'}, {waits} wait for it")


async def stream_checks(connection: Connection, specs: Sequence[StreamSpec], speakers: int) -> list[Check]:
    """Whether exactly the wanted streams exist, with their settings and with free space.

    Args:
        connection: the provisioner's.
        specs: the wanted streams.
        speakers: the number of authorities that may send revocation statements.
    """
    checks = []
    for spec in specs:
        try:
            info = await stream_info(connection, spec.name)
        except BrokerError as exc:
            checks.append(hard(f"stream {spec.name}", ok=False, detail=str(exc)))
            continue
        state = info.state
        wrong = [key for key in stream_differs(spec, info) if key != "max_bytes"]
        # A duplicate window on a world would let one country's message ids suppress another's bulletins.
        wrong += ["duplicate_window"] if not spec.subjects and info.config.get("duplicate_window") else []
        checks.append(hard(f"stream {spec.name}", not wrong, f"{state.messages} bulletins", ", ".join(wrong)))
        if spec.name == STATEMENTS_STREAM:
            # An authority that has left keeps its space until its statements are too old.
            most = speakers + 1 + state.num_subjects
            room = info.max_bytes // STATEMENTS_ROOM_BYTES
            room_for = f"of {room} senders, and {most} at the most"
            checks.append(hard("room for statements", most <= room, room_for))
        if spec.sources and not spec.gives_way:
            left = info.max_bytes - state.bytes
            told = f"{left} bytes are left; when it is full, new messages of its sources reach no reader"
            checks.append(hard(f"room in {spec.name}", left > spec.max_msg_size, told))
        share = max(state.bytes / max(1, info.max_bytes), state.messages / (spec.max_msgs or math.inf))
        if share > FULL_SHARE:
            checks.append(soft(f"stream {spec.name} fill", ok=False, detail=f"{share:.0%} full"))
    others = set(await stream_names(connection)) - {spec.name for spec in specs}
    named = f"{', '.join(sorted(others))} of nobody here"
    return [*checks, soft("other streams", not others, "none", named)]


async def kept_room(connection: Connection, specs: Sequence[StreamSpec]) -> int:
    """Bytes that other streams reserve."""
    others = set(await stream_names(connection)) - {spec.name for spec in specs}
    return sum([max(0, (await stream_info(connection, name)).max_bytes) for name in sorted(others)])


async def lag_check(connection: Connection, specs: Sequence[StreamSpec]) -> Check:
    """Whether every world and every stream of heads keeps up with its sources; after one refused copy a stream never continues."""
    copying = [spec for spec in specs if spec.sources]
    stuck = await _behind(connection, copying)
    for _ in range(LOOKS):
        if not stuck:
            break
        await asyncio.sleep(LOOK_S)
        now = await _behind(
            connection, [spec for spec in copying if any(spec.name == name for name, _ in stuck)]
        )
        stuck = {place: seq for place, seq in stuck.items() if now.get(place) == seq}
    behind = ", ".join(f"{world} takes nothing more of {source}" for world, source in sorted(stuck))
    return hard("copies", not stuck, f"{len(copying)} streams keep up with their sources", behind)


async def _behind(connection: Connection, copying: Sequence[StreamSpec]) -> dict[tuple[str, str], int]:
    """By (stream, source), the sequence reached in each source that a stream is behind.

    The server's own count of messages left is 0 for a source whose first copy is refused.
    """
    ends: dict[str, int] = {}
    found: dict[tuple[str, str], int] = {}
    for spec in copying:
        with contextlib.suppress(BrokerError):  # a stream is missing, which another check reports
            for source in spec.sources:
                if source not in ends:
                    state = (await stream_info(connection, source)).state
                    ends[source] = state.last_seq if state.messages else 0
            copied = {each.name: each.seq for each in (await stream_info(connection, spec.name)).copied}
            at = {source: copied.get(source, 0) for source in spec.sources}
            found |= {(spec.name, source): seq for source, seq in at.items() if seq < ends[source]}
    return found


async def consumer_check(connection: Connection, wanted: Sequence[ConsumerSpec]) -> Check:
    """Whether exactly the wanted consumers exist, with their filters."""
    wrong = []
    for spec in wanted:
        try:
            info = await consumer_info(connection, spec.stream, spec.name)
        except BrokerError as exc:
            wrong.append(f"{spec.stream}/{spec.name}: {exc}")
            continue
        if differs := consumer_differs(spec, info.config):
            wrong.append(f"{spec.stream}/{spec.name}: other {', '.join(differs)} than its grants")
    known = {(spec.stream, spec.name) for spec in wanted}
    for stream in {spec.stream for spec in wanted}:
        with contextlib.suppress(BrokerError):  # the stream is missing, which another check reports
            names = await consumer_names(connection, stream)
            wrong += [
                f"{stream}/{name}: nobody has a grant for it" for name in names if (stream, name) not in known
            ]
    return hard("consumers", not wrong, f"{len(wanted)} follow the registry", "; ".join(sorted(wrong)))
