"""Identities that try the walls of a running broker, with a stream of their own that nobody reads.

They are made by the same generator as all others (`bus.server.accounts`), so what holds for them holds for every identity.
Nothing that they try reaches a stream of others on a broker whose walls stand; where one has a hole, it shows first in their
own stream, and nothing else is tried.
"""

from __future__ import annotations

from bus.transport import ConsumerSpec, Permissions, StreamSpec, inbox_prefix, reading

PROBES = ("probe", "probe_beside")
"""Who tries, and whose place nobody else may reach. No authority's id is like them."""
PROBE_FILES = ("probe.nk", "probe-beside.nk")
"""The files of their transport keys in a broker's folder, in the order of `PROBES`."""
STREAM = "PROBE"
SUBJECTS = "tocsin.probe"
ROOM_BYTES = 1024 * 1024
AGE_S = 24 * 3600


def said(identity: str) -> str:
    """The one subject on which a probe may speak."""
    return f"{SUBJECTS}.said.{identity}"


HEARD = f"{SUBJECTS}.heard"
"""Where no identity may speak: what stands there has passed a wall."""


def probe_permissions(identity: str) -> Permissions:
    """What a probe may do: the kinds of calls of an authority that speaks and reads."""
    return Permissions(
        publish=(said(identity), *reading(STREAM, identity)), subscribe=(f"{inbox_prefix(identity)}.>",)
    )


def probe_stream(replicas: int = 1) -> StreamSpec:
    """The stream that takes what probes say, and what has passed a wall."""
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
