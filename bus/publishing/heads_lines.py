"""The lines of a heads file: one for each accepted bulletin, with its own checksum. Pure.

A line is `<crc32> a <n> <seq> <channel> <digest> <id> <time>` for an accepted bulletin, or `<crc32> m <inode> <boot> <time>`
for a mark; times are milliseconds since the epoch.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

from bus.publishing.fitness import Mark, Record, Said


def heads_path(outbox: Path) -> Path:
    """The heads file of an outbox."""
    return outbox.with_name(f"{outbox.name}.heads")


def parse(raw: bytes) -> Record:
    """Parse the bytes of a heads file; lines with a wrong checksum are only counted."""
    said: list[Said] = []
    mark, written_at, damaged = None, 0.0, 0
    for line in filter(None, raw.split(b"\n")):
        crc, _, rest = line.partition(b" ")
        try:
            if int(crc, 16) != zlib.crc32(rest):
                raise ValueError
            kind, *fields = rest.decode("ascii").split(" ")
            written_at = int(fields[-1]) / 1000
            if kind == "a":
                n, seq, channel, digest, id_, _ = fields
                said.append(Said(n=int(n), seq=int(seq), channel=channel, digest=digest, id=id_))
            elif kind == "m":
                mark = Mark(inode=int(fields[0]), boot=fields[1])
        except (ValueError, IndexError):
            damaged += 1
    return Record(said=tuple(said), mark=mark, written_at=written_at, damaged=damaged)


def outline(raw: bytes, recent: int) -> Record:
    """As `parse`, for `most` lines at the end, the last of each channel before them, and the last mark; other lines are skipped.

    If one of these has a wrong checksum, or they are not enough, all lines are parsed.
    """
    lines = list(filter(None, raw.split(b"\n")))
    before, end = lines[: -2 * recent], lines[-2 * recent :]
    mark = b""
    newest: dict[bytes, tuple[int, bytes]] = {}
    try:
        for line in before:
            _, kind, n, _, channel, *_ = line.split(b" ", 5)
            if kind == b"m":
                mark = line
            elif (place := int(n)) >= newest.get(channel, (0, b""))[0]:
                newest[channel] = (place, line)
    except ValueError:
        return parse(raw)
    found = parse(b"\n".join([mark, *(line for _, line in newest.values()), *end]))
    is_enough = not before or len(found.said) - len(newest) >= recent
    return parse(raw) if found.damaged or not is_enough else found


def accepted_line(said: Said, now: float) -> bytes:
    """The line of an accepted bulletin."""
    return accepted_lines([(said.n, said.channel, said.seq, said.digest, said.id)], now)


def accepted_lines(said: Iterable[tuple[int, str, int, str, str]], now: float) -> bytes:
    """The lines of accepted bulletins, each given as row, channel, number, digest and id."""
    at = int(now * 1000)
    return b"".join([_line(f"a {n} {seq} {name} {digest} {id_} {at}") for n, name, seq, digest, id_ in said])


def mark_line(mark: Mark, now: float) -> bytes:
    """The line of a mark."""
    return _line(f"m {mark.inode} {mark.boot} {int(now * 1000)}")


def _line(text: str) -> bytes:
    raw = text.encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(raw), raw)
