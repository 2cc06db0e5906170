"""Identities that test the walls of a running broker, with their own stream that nobody reads.

The generator of all identities makes them (`bus.server.accounts`), so their results hold for every identity. On a
broker with intact walls no test reaches a stream of others. A hole shows first in their own stream, and then nothing
else is tried.
"""

from __future__ import annotations

from bus.transport import ConsumerSpec, Permissions, StreamSpec, inbox_prefix, reading

PROBES = ("probe", "probe_beside")
"""The identity that tries, and the identity whose subjects it must not reach. No authority's id has this form."""
PROBE_FILES = ("probe.nk", "probe-beside.nk")
"""The files of their transport keys in a broker's folder, in the order of `PROBES`."""
STREAM = "PROBE"
SUBJECTS = "tocsin.probe"
ROOM_BYTES = 1024 * 1024
AGE_S = 24 * 3600


def said(identity: str) -> str:
    """The only subject on which a probe may publish."""
    return f"{SUBJECTS}.said.{identity}"


HEARD = f"{SUBJECTS}.heard"
"""A subject on which no identity may publish: a message there has passed a wall."""


def probe_permissions(identity: str) -> Permissions:
    """The permissions of a probe: the kinds of calls of an authority that publishes and reads."""
    return Permissions(
        publish=(said(identity), *reading(STREAM, identity)), subscribe=(f"{inbox_prefix(identity)}.>",)
    )


def probe_stream(replicas: int = 1) -> StreamSpec:
    """The stream that captures the probes' messages, and messages that passed a wall."""
    return StreamSpec(
        name=STREAM,
        subjects=(f"{SUBJECTS}.>",),
        bursts=True,
        max_bytes=ROOM_BYTES,
        max_age_s=AGE_S,
        each=64,
        gives_way=True,
        replicas=replicas,
    )


def probe_consumers() -> tuple[ConsumerSpec, ...]:
    """The consumers of the probes."""
    return tuple(ConsumerSpec(stream=STREAM, name=name, filters=(said(name),)) for name in PROBES)
