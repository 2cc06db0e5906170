"""A TCP way to a broker that can be hurt: it delays, drops, resets, doubles, corrupts, refuses, and lies about what it carries."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

PIECE = 65536
SOME = 0.3
"""The share of frames that are hurt, so that others get through."""
LARGE = (0, 1, 2**63 - 1, 2**63, 2**70)


class Frame(NamedTuple):
    """One step of the NATS protocol: its line without the end, and what follows it."""

    line: bytes
    body: bytes | None

    def raw(self) -> bytes:
        """As it goes over the line."""
        return self.line + b"\r\n" + (b"" if self.body is None else self.body + b"\r\n")

    @property
    def words(self) -> list[bytes]:
        """The words of the line."""
        return self.line.split()

    @property
    def head(self) -> int:
        """How many bytes of the body are headers."""
        return int(self.words[-2]) if self.words[0].startswith(b"H") else 0


class Frames:
    """Cuts what comes into whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now."""
        self._rest += data
        while b"\r\n" in self._rest:
            line, _, after = self._rest.partition(b"\r\n")
            words = line.split()
            if words and words[0].upper() in (b"MSG", b"HMSG", b"PUB", b"HPUB"):
                size = int(words[-1])
                if len(after) < size + 2:
                    return
                yield Frame(line, after[:size])
                self._rest = after[size + 2 :]
            else:
                yield Frame(line, None)
                self._rest = after


def _with(frame: Frame, words: list[bytes], body: bytes | None = None, head: int | None = None) -> Frame:
    """The frame with another line or body; its sizes are those of the body."""
    body = frame.body if body is None else body
    assert body is not None
    words = [*words]
    words[-1] = str(len(body)).encode()
    if frame.head:
        words[-2] = str(frame.head if head is None else head).encode()
    return Frame(b" ".join(words), body)


def _reply(frame: Frame) -> int | None:
    """At which of its words the reply of a message to a client stands."""
    there = len(frame.words) - (2 if frame.head else 1)
    return 3 if there > 3 else None


def other_subject(frame: Frame, seen: list[Frame], rng: random.Random) -> Frame:
    """Under the subject of another message."""
    words = frame.words
    words[1] = rng.choice(seen).words[1]
    return _with(frame, words)


def other_reply(frame: Frame, seen: list[Frame], rng: random.Random) -> Frame:
    """With the reply of another message, or without one."""
    words, at, other = frame.words, _reply(frame), rng.choice(seen)
    if at is None:
        return frame
    there = _reply(other)
    words[at : at + 1] = [other.words[there]] if there is not None and rng.random() < 0.7 else []
    return _with(frame, words)


def other_number(frame: Frame, seen: list[Frame], rng: random.Random) -> Frame:
    """With another number in its `$JS.ACK` reply: sequence, time, or what is pending."""
    words, at = frame.words, _reply(frame)
    if at is None or not words[at].startswith(b"$JS.ACK."):
        return frame
    parts = words[at].split(b".")
    place = rng.randrange(4, len(parts))
    near = int(parts[place]) if parts[place].isdigit() else 0
    parts[place] = str(rng.choice((*LARGE, near + 1, max(0, near - 1), near + 10**6))).encode()
    words[at] = b".".join(parts)
    return _with(frame, words)


def other_header(frame: Frame, seen: list[Frame], rng: random.Random) -> Frame:
    """With another value in one of its `Nats-` headers, another status, or one header more."""
    if not frame.head or frame.body is None:
        return frame
    lines = frame.body[: frame.head].rstrip(b"\r\n").split(b"\r\n")
    named = [n for n, line in enumerate(lines) if line.startswith(b"Nats-")]
    value = str(rng.choice(LARGE)).encode()
    if named and rng.random() < 0.6:
        n = rng.choice(named)
        lines[n] = lines[n].partition(b":")[0] + b": " + value
    elif rng.random() < 0.5:
        lines[0] = b"NATS/1.0 " + rng.choice((b"404", b"408 Request Timeout", b"409 Batch Completed", b"503"))
    else:
        name = rng.choice((b"Nats-Sequence", b"Nats-Pending-Messages", b"Nats-Stream", b"Nats-Last-Sequence"))
        lines.append(name + b": " + value)
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return _with(frame, frame.words, head + frame.body[frame.head :], len(head))


def altered(frame: Frame, seen: list[Frame], rng: random.Random) -> Frame:
    """With one bit of its body turned over."""
    if not frame.body:
        return frame
    body = bytearray(frame.body)
    body[rng.randrange(frame.head if frame.head < len(body) else 0, len(body))] ^= 1 << rng.randrange(8)
    return _with(frame, frame.words, bytes(body))


LIES: dict[str, Callable[[Frame, list[Frame], random.Random], Frame]] = {
    each.__name__.replace("_", "-"): each
    for each in (other_subject, other_reply, other_number, other_header, altered)
}
BREAKING = ("drop-up", "drop-down", "corrupt")
"""After these a connection is no longer what either end believes, so it ends when the line is healed."""
HURTS = ("delay", "reset", "refuse", "double", *BREAKING, *LIES)


class Line:
    """A way to the port of a broker. `hurt` says what is wrong with it; nothing is, while it is empty."""

    def __init__(self, to: int, rng: random.Random) -> None:
        self.to, self.port, self.hurt = to, 0, ""
        self.touched = 0
        """How many frames or pieces were hurt."""
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._joins: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections through, at the same port as before."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Break every connection and take no other."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()
        if self._joins:
            await asyncio.wait(self._joins)

    def reset(self) -> None:
        """Break every connection; new ones get through."""
        for end in list(self._ends):
            end.transport.abort()

    async def begin(self, hurt: str) -> None:
        """From now on one of HURTS is wrong with it."""
        assert hurt in HURTS, hurt
        self.hurt = hurt
        if hurt == "refuse":
            await self.close()
        elif hurt == "reset":
            self.reset()

    async def heal(self) -> None:
        """It carries all and only what it is given."""
        was, self.hurt = self.hurt, ""
        if was in BREAKING:
            self.reset()
        if self._server is None:
            await self.open()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._joins.add(task)
        task.add_done_callback(self._joins.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            await asyncio.gather(
                self._carry(reader, far_writer, "up"), self._carry(far_reader, writer, "down")
            )
        finally:
            self._ends -= ends
            for each in ends:
                each.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        frames, seen = Frames(), list[Frame]()
        with contextlib.suppress(OSError, ValueError):  # a broken frame cannot be cut any further
            while data := await reader.read(PIECE):
                for frame in frames.feed(data):
                    for out in await self._through(frame, seen, way):
                        writer.write(out)
                await writer.drain()
        writer.transport.abort()

    async def _through(self, frame: Frame, seen: list[Frame], way: str) -> list[bytes]:
        """What arrives of a frame."""
        hurt, raw = self.hurt, frame.raw()
        if hurt == f"drop-{way}":
            self.touched += 1
            return []
        if hurt == "delay":
            self.touched += 1
            await asyncio.sleep(self._rng.uniform(0.0, 0.5))
        if frame.body is None:
            return [raw]
        if way == "down":
            seen.append(frame)
            del seen[:-50]
        if self._rng.random() > SOME:
            return [raw]
        if hurt == "double":
            self.touched += 1
            return [raw, raw]
        if hurt == "corrupt":
            self.touched += 1
            at = self._rng.randrange(len(raw))
            return [raw[:at] + bytes([raw[at] ^ 1 << self._rng.randrange(8)]) + raw[at + 1 :]]
        if hurt in LIES and way == "down":
            self.touched += 1
            return [LIES[hurt](frame, seen, self._rng).raw()]
        return [raw]
