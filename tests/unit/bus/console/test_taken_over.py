"""A console that was taken over: whatever it says to its hub, the hub runs on, and has a console that works again."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bus.console import NOBODY, Child
from bus.console import child as module
from bus.console.asking import HubError, Line, serve
from bus.console.errors import TooLargeError
from bus.hub.acting import Acknowledge, Outcome, Request, messages
from bus.tasks import in_background
from tests.support.waiting import eventually, longest
from tests.unit.bus.console.test_child import place

ODD_LINES = {
    "no message": b"{]\n",
    "without an end": b"[" * (messages.MOST + 10),
    "nested without end": b'{"n":1,"request":' + b"[" * 200_000 + b"\n",
    "another request": b'{"n":1,"request":{"type":"format-the-disk"}}\n',
    "a number without end": b'{"n":' + b"9" * 5_000 + b',"request":{}}\n',
    "no text": b"\xff\xfe\n",
}


async def _done(_: Request) -> Outcome:
    return Outcome(state="stored")


@pytest.mark.parametrize("line", ODD_LINES.values(), ids=ODD_LINES)
async def test_no_line_of_a_console_ends_what_answers_it_with_an_error(line: bytes) -> None:
    """The hub refuses the request, or closes the line; either is no error of the hub."""
    ours, theirs = socket.socketpair()
    answering = asyncio.create_task(serve(ours, _done))
    reader, writer = await asyncio.open_connection(sock=theirs, limit=messages.MOST)
    writer.write(line)
    with suppress(OSError):
        await asyncio.wait_for(writer.drain(), longest())
    with suppress(OSError):
        writer.write_eof()
    with suppress(OSError):
        await asyncio.wait_for(reader.read(), longest())
    writer.close()
    await asyncio.wait_for(answering, longest())


ODD_WORDS = {
    "a line without an end": "x" * 200_000,
    "no message": "hello",
    "a note with letters of a terminal": '{"note":"\\u001b[2J"}',
    "an address without a port": '{"address":"x"}',
    "an address with letters of a terminal": '{"address":"http://127.0.0.1:1\\u001b[2J/"}',
    "an address elsewhere": '{"address":"http://evil.example:80/"}',
    "nested without end": '{"address":' + "[" * 20_000,
    "a problem with letters of a terminal": '{"problem":"\\u001b[2J"}',
}


@pytest.mark.parametrize("words", ODD_WORDS.values(), ids=ODD_WORDS)
def test_whatever_a_console_says_of_itself_the_hub_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """It is started again; nothing of what it says steers a terminal or leads elsewhere."""
    liar = tmp_path / "liar.py"
    liar.write_text(f"import sys\nsys.stdin.readline()\nprint({words!r}, flush=True)\n", encoding="utf-8")
    starting = asyncio.create_subprocess_exec

    async def start(*words: str, **of: object) -> object:
        del words
        return await starting(sys.executable, str(liar), **of)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)

    async def go() -> list[str]:
        said: list[str] = []
        child = Child(place(tmp_path), said.append, NOBODY.ask)
        running = asyncio.create_task(child.run())
        try:
            await eventually(lambda: any("started again" in each for each in said) or running.done())
            assert not running.done(), running.exception()
            assert child.address == "" or child.address.startswith("http://127.0.0.1:")
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        return said

    said = asyncio.run(go())
    assert all(each.isprintable() for each in said), said
    assert not any("evil" in each for each in said)


async def test_a_console_whose_line_has_broken_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its line it could do nothing for people, and nobody would notice."""
    monkeypatch.setattr(module, "STOP_S", 0.1)
    liar = tmp_path / "liar.py"
    liar.write_text(
        "import json, os, sys, time\n"
        "os.write(json.loads(sys.stdin.readline())['hub'], b'no message\\n')\n"
        "time.sleep(600)\n",
        encoding="utf-8",
    )
    starting = asyncio.create_subprocess_exec

    async def start(*words: str, **of: object) -> object:
        del words
        return await starting(sys.executable, str(liar), **of)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    said: list[str] = []
    child = Child(place(tmp_path), said.append, NOBODY.ask)
    running = asyncio.create_task(child.run())
    try:
        await eventually(lambda: said or running.done())
        assert "started again" in said[0]
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_what_does_not_fit_on_the_line_breaks_nothing() -> None:
    """A request that is too long is refused where it is made, an answer is one that says so; the next ones are done."""

    async def do(request: Request) -> Outcome:
        assert isinstance(request, Acknowledge)
        return Outcome(state="stored", notes=("x" * (messages.MOST if request.by == "eve" else 1),))

    ours, theirs = socket.socketpair()
    async with in_background(serve(ours, do), "hub"), Line.open(theirs) as line:
        with pytest.raises(TooLargeError):
            await line.ask(Acknowledge(bulletin="x" * messages.MOST, by="ann"))
        assert (await line.ask(Acknowledge(bulletin="x", by="eve"))).reason == "deed-failed"
        assert (await line.ask(Acknowledge(bulletin="x", by="ann"))).state == "stored"


async def test_an_answer_that_is_none_ends_the_line_for_the_hub_too() -> None:
    """So that the hub starts a console that can ask again."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    async with Line.open(theirs) as line:
        writer.write(b"[" * 100_000 + b"\n")
        assert await asyncio.wait_for(reader.read(), longest()) == b""
        with pytest.raises(HubError):
            await line.ask(Acknowledge(bulletin="x", by="ann"))
    writer.close()
