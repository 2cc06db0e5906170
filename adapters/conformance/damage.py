"""Broken and hostile documents, and a guard against network and process access, for the conformance kit."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

POISON: Mapping[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)),
    "an empty object": b"{}",
    "deep nesting": b"[" * 100_000,
    "an entity bomb": b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "an entity from outside": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>',
    "a formula": b'=HYPERLINK("http://results.example")\n',
}


def damaged(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of damaged versions of a document; deterministic, so that a failure can be repeated."""
    for eighth in range(8):
        yield f"cut after {eighth}/8", data[: len(data) * eighth // 8]
    for n, at in enumerate(range(0, len(data), max(1, len(data) // 61))):
        bit = 0x80 if n % 2 else 0x10
        yield f"bit {bit:#x} flipped at {at}", data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
    text = data.decode("utf-8", "replace")
    yield "as UTF-16", text.encode("utf-16")
    yield "with a BOM", b"\xef\xbb\xbf" + data
    yield "with NULs", data.replace(b"e", b"\x00")
    yield "with lone Latin-1", data.replace(b"e", b"\xe9")
    yield "twice", data + data
    yield "with noise behind it", data + b"\xff\xfe\x00"
    yield "its digits nines", bytes(0x39 if 0x30 <= each <= 0x39 else each for each in data)
    yield "its strings empty", data.replace(b'": "', b'": "" , "x": "')


_WAYS_OUT = (
    "socket.connect",
    "socket.sendto",
    "socket.bind",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
)
_guarded: list[bool] = []


def _watch(event: str, _: tuple[object, ...]) -> None:
    if _guarded and event in _WAYS_OUT:
        raise AssertionError(f"a translation must not leave the process: {event}")


@contextmanager
def no_way_out() -> Iterator[None]:
    """Inside this context, connections, name look-ups and other processes fail the test (PEP 578)."""
    if not _hooked:
        sys.addaudithook(_watch)
        _hooked.append(True)
    _guarded.append(True)
    try:
        yield
    finally:
        _guarded.pop()


_hooked: list[bool] = []
