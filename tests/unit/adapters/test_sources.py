"""The spool folder and standard input: each document exactly once, and nothing lost between two steps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.sources import FolderSource, StdinSource
from bus.plugin import AdapterError, Loss, Observation, Verdict
from tests.support.waiting import eventually

ACCEPTED = Verdict(accepted=True, bulletins=("a",), losses=(Loss("x", "y"),))
REFUSED = Verdict(accepted=False, reason="malformed", detail="no — \ud800")
LATER = Verdict(accepted=False, later=True, reason="store")


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """The `in/` of a spool."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


async def look(spool: Path, verdict: Verdict = ACCEPTED, max_bytes: int = 1000) -> list[tuple[str, bytes]]:
    """One look at a spool, settling everything alike."""
    seen = []
    async for found in FolderSource(spool, once=True, max_bytes=max_bytes).observe():
        seen.append((found.name, found.data))
        found.settle(verdict)
    return seen


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def test_files_are_offered_once_in_the_order_of_their_names(tmp_path: Path, incoming: Path) -> None:
    """Settled files are gone from `in/`, and lie in `done/` beside their report."""
    (incoming / "b").write_bytes(b"2")
    (incoming / "a").write_bytes(b"1")
    assert await look(tmp_path) == [("a", b"1"), ("b", b"2")]
    assert await look(tmp_path) == []
    assert names(tmp_path / "done") == ["a", "a.report.json", "b", "b.report.json"]
    report = json.loads((tmp_path / "done" / "a.report.json").read_text())
    assert report["bulletins"] == ["a"]
    assert report["losses"] == [{"path": "x", "why": "y"}]


async def test_a_refused_file_lies_beside_its_reason(tmp_path: Path, incoming: Path) -> None:
    """`refused/` holds the document and why, even when the why cannot be encoded as it is."""
    (incoming / "a.json").write_bytes(b"1")
    await look(tmp_path, REFUSED)
    assert names(tmp_path / "refused") == ["a.json", "a.json.reason.json"]
    assert json.loads((tmp_path / "refused" / "a.json.reason.json").read_text())["reason"] == "malformed"


@pytest.mark.parametrize(
    ("verdict", "folder", "word"), [(ACCEPTED, "done", "report"), (REFUSED, "refused", "reason")]
)
@pytest.mark.parametrize("first", ["a.json", "its report"])
async def test_a_report_never_overwrites_a_document(
    tmp_path: Path, incoming: Path, verdict: Verdict, folder: str, word: str, first: str
) -> None:
    """A document that is called as another one's report is kept, whichever of the two comes first."""
    contents = {"a.json": b"the document", f"a.json.{word}.json": b"the evidence"}
    for name in sorted(contents, reverse=first == "its report"):
        (incoming / name).write_bytes(contents[name])
        await look(tmp_path, verdict)
    kept = [path.read_bytes() for path in (tmp_path / folder).iterdir()]
    assert len(kept) == 4
    assert set(contents.values()) <= set(kept)


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.tmp", "a.swp", "a~"])
async def test_unfinished_files_are_not_looked_at(tmp_path: Path, incoming: Path, name: str) -> None:
    """A file that is still being written has a name of its own and waits."""
    (incoming / name).write_bytes(b"half")
    assert await look(tmp_path) == []
    assert names(incoming) == [name]


async def test_what_has_to_wait_stays_and_so_does_everything_after_it(tmp_path: Path, incoming: Path) -> None:
    """A fault that is not the document's leaves it in `in/`, and keeps the order."""
    for name in ("a", "b"):
        (incoming / name).write_bytes(b"1")
    assert await look(tmp_path, LATER) == [("a", b"1")]
    assert names(incoming) == ["a", "b"]
    assert [name for name, _ in await look(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("what", "reason"), [("symlink", "not-a-file"), ("fifo", "not-a-file"), ("folder", "not-a-file")]
)
async def test_only_regular_files_are_read(tmp_path: Path, incoming: Path, what: str, reason: str) -> None:
    """A link, a pipe or a folder is set aside without being followed or waited for."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"not for the bus")
    path = incoming / "x"
    if what == "symlink":
        path.symlink_to(secret)
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert await look(tmp_path) == []
    assert json.loads((tmp_path / "refused" / "x.reason.json").read_text())["reason"] == reason
    assert names(incoming) == []
    assert secret.read_bytes() == b"not for the bus"


async def test_a_file_above_the_bound_is_refused(tmp_path: Path, incoming: Path) -> None:
    """The bound holds to the byte."""
    (incoming / "fits").write_bytes(bytes(1000))
    (incoming / "swollen").write_bytes(bytes(1001))
    assert [name for name, _ in await look(tmp_path)] == ["fits"]
    assert json.loads((tmp_path / "refused" / "swollen.reason.json").read_text())["reason"] == "too-large"


async def test_a_file_replaced_while_it_is_read_is_a_document_of_its_own(
    tmp_path: Path, incoming: Path
) -> None:
    """The newer file is not moved away unread with the verdict on the older one."""
    (incoming / "a").write_bytes(b"old")
    async for found in FolderSource(tmp_path, once=True).observe():
        (incoming / "a.part").write_bytes(b"new")
        (incoming / "a.part").rename(incoming / "a")
        found.settle(ACCEPTED)
    assert await look(tmp_path) == [("a", b"new")]


async def test_files_of_one_name_are_all_kept(tmp_path: Path, incoming: Path) -> None:
    """A second file of the name gets a number; nothing in `done/` is overwritten."""
    for content in (b"1", b"2", b"3"):
        (incoming / "a.xml").write_bytes(content)
        await look(tmp_path)
    assert {"a.xml", "a.2.xml", "a.3.xml"} <= set(names(tmp_path / "done"))


@pytest.mark.parametrize("name", [b"\xff\xfe.json", b"n" * 255, b"." + b"x" * 9, b"a\nb", b"-rf"])
async def test_any_file_name_can_be_accounted_for(tmp_path: Path, incoming: Path, name: bytes) -> None:
    """Names are any bytes of any length; they are shown as text and their report fits the file system."""
    path = Path(os.fsdecode(os.fsencode(incoming) + b"/" + name))
    path.write_bytes(b"1")  # noqa: ASYNC240 (a test's own small file)
    seen = await look(tmp_path, REFUSED)
    if name.startswith(b"."):
        assert seen == []
        return
    shown = seen[0][0]
    assert shown == shown.encode().decode()
    assert names(incoming) == []
    assert len(names(tmp_path / "refused")) == 2


async def test_a_settlement_that_fails_leaves_the_file(tmp_path: Path, incoming: Path) -> None:
    """When the report cannot be written, the file is offered again."""
    (incoming / "a").write_bytes(b"1")
    async for found in FolderSource(tmp_path, once=True).observe():
        (tmp_path / "done").rmdir()
        with pytest.raises(OSError, match="No such file"):
            found.settle(ACCEPTED)
    assert await look(tmp_path) == [("a", b"1")]


async def test_a_spool_that_vanishes_comes_back(tmp_path: Path, incoming: Path) -> None:
    """Somebody removes the folder while it is watched; documents after that are still read."""
    source = FolderSource(tmp_path, poll_s=0.01)
    watching = source.observe()
    (incoming / "a").write_bytes(b"1")
    (await anext(watching)).settle(ACCEPTED)
    waiting: asyncio.Task[Observation] = asyncio.ensure_future(anext(watching))
    shutil.rmtree(tmp_path / "in")
    await eventually((tmp_path / "in").is_dir)
    (incoming / "b").write_bytes(b"2")
    assert (await waiting).name == "b"
    await watching.aclose()  # type: ignore[attr-defined]


async def test_waiting_can_be_cancelled(tmp_path: Path) -> None:
    """A source that looks once an hour lets go when it is told to, and not at its next look."""
    task = asyncio.ensure_future(anext(FolderSource(tmp_path, poll_s=3600).observe()))
    await eventually((tmp_path / "in").is_dir)  # it has looked for the first time, and waits
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
def typing_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a pipe that is written to; the other one is standard input."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as raw, io.TextIOWrapper(raw) as text:
        monkeypatch.setattr("sys.stdin", text)
        yield writing
    with contextlib.suppress(OSError):
        os.close(writing)


async def test_standard_input_is_one_document(typing_end: int) -> None:
    """It is read to its end, in whatever pieces it comes."""
    os.write(typing_end, b"one ")
    os.write(typing_end, b"document")
    os.close(typing_end)
    seen = [found async for found in StdinSource().observe()]
    assert [found.data for found in seen] == [b"one document"]
    with pytest.raises(AdapterError) as refused:
        seen[0].settle(REFUSED)
    assert refused.value.reason == "malformed"


async def test_standard_input_is_bounded(typing_end: int) -> None:
    """Endless input ends with `too-large`."""
    os.write(typing_end, bytes(2000))
    with pytest.raises(AdapterError) as refused:
        _ = [found async for found in StdinSource(max_bytes=1000).observe()]
    assert refused.value.reason == "too-large"


def test_standard_input_without_an_end_can_be_cancelled(typing_end: int) -> None:
    """Ctrl-C at a terminal ends the program, although nobody closed the input."""

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                _ = [found async for found in StdinSource().observe()]

    asyncio.run(work())


@pytest.mark.parametrize(
    "trouble", [OSError(errno.EMFILE, "too many open files"), MemoryError()], ids=["files", "memory"]
)
async def test_what_the_system_lacks_is_no_fault_of_a_file(
    trouble: Exception, tmp_path: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays where it is, it is said once and when it is over, and the file is offered then."""
    (incoming / "a").write_bytes(b"1")
    source = FolderSource(tmp_path, once=True)

    def lacks(*_: object, **__: object) -> int:
        raise trouble

    with capture_logs() as said:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", lacks)
            for _ in range(2):
                assert [found async for found in source.observe()] == []
        assert names(incoming) == ["a"]
        assert [found.name async for found in source.observe()] == ["a"]
    assert [each["event"] for each in said] == ["spool_unreadable", "spool_readable_again"]


async def test_what_is_not_settled_is_not_offered_again(tmp_path: Path) -> None:
    """The next look comes while the first document is still being read; it is offered once."""
    source = FolderSource(tmp_path, poll_s=0.001)
    source.incoming.mkdir()
    for name in "ab":
        (source.incoming / name).write_text(name)
    documents = source.observe()
    one, two = await anext(documents), await anext(documents)
    third = asyncio.ensure_future(anext(documents))
    (source.incoming / "c").write_text("c")
    assert [one.name, two.name, (await third).name] == ["a", "b", "c"]
    one.settle(Verdict(accepted=False, later=True))
    assert (await anext(documents)).name == "a"
