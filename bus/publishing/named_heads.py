"""The heads that heartbeats name, for channels whose streams have dropped their bulletins. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence

import msgspec

from bus.transport import Received
from schemas.bodies.system import ChannelStatus, Head
from schemas.codec import decode, digest
from schemas.errors import TocsinError
from schemas.subject import Channel
from schemas.vocab import TALK, Status


def _channel_of(subject: str) -> str:
    """The name of the channel of a message's subject, even if the message is not a bulletin."""
    return ".".join(subject.split(".")[2:5])


def newest_in(messages: Sequence[Received]) -> list[tuple[str, str]]:
    """(channel, digest) of each message, even if it is not a bulletin."""
    return [(_channel_of(message.subject), digest(message.payload)) for message in messages]


def named_by(beats: Collection[str], spoken: Collection[Channel]) -> set[str]:
    """The channels whose heads are named for good by heartbeats on the given channels."""
    return {
        each.name
        for each in spoken
        if each.status is not Status.SYSTEM
        and msgspec.structs.replace(each, status=Status.BEAT).name in beats
    }


def beats_in(messages: Sequence[Received]) -> dict[str, tuple[Head, ...]]:
    """The heads that heartbeats name, by the digest of each heartbeat; nothing is verified."""
    beats: dict[str, tuple[Head, ...]] = {}
    for message in messages:
        if _channel_of(message.subject).partition(".")[0] in TALK:
            with contextlib.suppress(TocsinError):
                body = decode(message.payload).body
                if isinstance(body, ChannelStatus):
                    beats[digest(message.payload)] = body.heads
    return beats


def announced(beats: Mapping[str, Sequence[Head]], stands: Collection[str]) -> dict[str, tuple[int, str]]:
    """The highest head of each channel that a standing heartbeat names."""
    highest: dict[str, tuple[int, str]] = {}
    for name, heads in beats.items():
        for head in heads if name in stands else ():
            if head.digest is not None and head.seq > highest.get(head.channel, (0, ""))[0]:
                highest[head.channel] = (head.seq, head.digest)
    return highest
