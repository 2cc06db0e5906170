"""Output that holds nobody up: what waits is bounded, what is left out is counted, and an end does not wait for ever."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.cli.frame import writer as module
from bus.cli.frame.outlet import Outlets
from bus.cli.frame.writer import Writer
from tests.support.premises import full_pipe
from tests.support.waiting import eventually_sync, longest

PATIENCE_S = 0.05


def gap(lines: int) -> str:
    """How this test's streams say what was left out."""
    return f"({lines})"


def read_lines(there: int, wanted: int) -> list[bytes]:
    """Lines from a pipe, without what it was filled with, until so many have come."""
    seen = b""
    while seen.count(b"\n") < wanted:
        seen += os.read(there, 65_536)
    return seen.lstrip(b".").splitlines()


def test_what_is_written_arrives_in_order(tmp_path: Path) -> None:
    """All of it, when it is closed."""
    with (tmp_path / "out").open("wb") as file:
        writer = Writer(file.fileno(), gap)
        for n in range(1000):
            writer.put(b"%d\n" % n)
        assert writer.close(longest())
    assert (tmp_path / "out").read_bytes().split() == [b"%d" % n for n in range(1000)]


@pytest.mark.parametrize(("lines", "size"), [(10, 10**6), (10**6, 20)], ids=["lines", "bytes"])
def test_what_nobody_reads_is_bounded_counted_and_told(lines: int, size: int) -> None:
    """Writers are never held up; once it is read, one line stands where the others would have been, and all after it comes."""
    with full_pipe() as (there, here):
        said: list[str] = []
        writer = Writer(here, gap, lines=lines, size=size)
        writer.on_change = said.append
        for n in range(100):
            writer.put(b"%02d\n" % n)
        assert writer.waiting <= size
        assert len(said) == 1
        os.set_blocking(there, True)
        kept = min(lines, size // 3)
        seen = read_lines(there, kept + 1)
        assert seen[:kept] == [b"%02d" % n for n in range(kept)]
        assert seen[kept] == b"(%d)" % (100 - kept)
        writer.put(b"after\n")
        assert read_lines(there, 1) == [b"after"]
        assert writer.close(longest())
        assert len(said) == 2
        assert str(100 - kept) in said[1]


def test_a_line_longer_than_all_the_room_is_written(tmp_path: Path) -> None:
    """When nothing waits before it."""
    with (tmp_path / "out").open("wb") as file:
        writer = Writer(file.fileno(), gap, size=10)
        writer.put(b"x" * 100 + b"\n")
        assert writer.close(longest())
    assert (tmp_path / "out").stat().st_size == 101


def test_an_end_does_not_wait_for_a_reader_that_reads_nothing() -> None:
    """It says that not all is written."""
    with full_pipe() as (_, here):
        writer = Writer(here, gap)
        writer.put(b"unheard\n")
        assert not writer.close(PATIENCE_S)


def test_a_reader_that_has_gone_away_is_said_once() -> None:
    """What is written then goes nowhere, and costs nothing."""
    there, here = os.pipe()
    os.close(there)
    said: list[str] = []
    writer = Writer(here, gap)
    writer.on_change = said.append
    for _ in range(3):
        writer.put(b"line\n")
    eventually_sync(lambda: writer.is_gone and said)
    writer.put(b"line\n")
    assert writer.waiting == 0
    assert not writer.close(PATIENCE_S)
    assert len(said) == 1
    os.close(here)


def test_lines_that_a_full_disk_refuses_are_told_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next lines are tried; half a line that was written is ended first."""
    is_full, tried = threading.Event(), threading.Event()
    is_full.set()
    write = os.write

    def narrow(fd: int, data: bytes) -> int:
        if not is_full.is_set():
            return write(fd, data)
        if tried.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        tried.set()
        return write(fd, data[:3])

    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    said: list[str] = []
    with (tmp_path / "out").open("wb") as file:
        writer = Writer(file.fileno(), gap)
        writer.on_change = said.append
        monkeypatch.setattr(os, "write", narrow)
        writer.put(b"first\n")
        eventually_sync(lambda: said)
        is_full.clear()
        writer.put(b"second\n")
        assert writer.close(longest())
    assert (tmp_path / "out").read_text() == "fir\n(1)\nsecond\n"
    assert len(said) == 2


def test_a_writer_that_fails_by_itself_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the fault, the program goes on and knows."""
    said: list[str] = []
    with (tmp_path / "out").open("wb") as file:
        writer = Writer(file.fileno(), gap)
        writer.on_change = said.append
        monkeypatch.setattr(writer, "_write", lambda _: 1 / 0)
        writer.put(b"line\n")
        eventually_sync(lambda: writer.is_gone and said)
    assert "ZeroDivisionError" in said[0]


@contextlib.contextmanager
def streams(out: int, err: int, *, json: bool) -> Iterator[Outlets]:
    """Standard streams that lead to two descriptors, and what stands in for them."""
    before = sys.stdout, sys.stderr
    with os.fdopen(os.dup(out), "w") as first, os.fdopen(os.dup(err), "w") as second:
        sys.stdout, sys.stderr = first, second
        outlets = Outlets(json=json)
        try:
            yield outlets
        finally:
            outlets.close(PATIENCE_S)
            sys.stdout, sys.stderr = before


def test_what_is_left_out_of_json_is_an_object_and_told_on_the_other_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A stream of JSON stays one."""
    monkeypatch.setattr("bus.cli.frame.outlet.Writer", lambda fd, gap: Writer(fd, gap, lines=2))
    with full_pipe() as (there, here), (tmp_path / "err").open("wb") as err:
        with streams(here, err.fileno(), json=True):
            for n in range(5):
                sys.stdout.write(f"{n}\n")
            seen = [json.loads(line) for line in read_lines(there, 3)]
        assert seen == [0, 1, {"left_out": {"lines": 3}}]
    assert "standard output is not read" in (tmp_path / "err").read_text()


def test_streams_to_one_file_keep_their_order(tmp_path: Path) -> None:
    """As when both lead to a terminal."""
    with (tmp_path / "out").open("ab") as file, streams(file.fileno(), file.fileno(), json=False):
        for n in range(50):
            (sys.stdout if n % 2 else sys.stderr).write(f"{n}\n")
    assert (tmp_path / "out").read_text().split() == [str(n) for n in range(50)]


def test_a_stream_that_is_no_file_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a test, or without a standard stream."""
    there = io.StringIO()
    monkeypatch.setattr(sys, "stdout", there)
    monkeypatch.setattr(sys, "stderr", None)
    outlets = Outlets(json=False)
    assert (sys.stdout, sys.stderr) == (there, None)
    assert (outlets.waiting, outlets.is_gone) == (0, False)
    outlets.close()
