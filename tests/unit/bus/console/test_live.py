"""Live events: numbered, replayed, each encoded once for all who may read the same; who falls behind is told to load anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.console import Reading
from bus.console import live as module
from bus.console.live import MOST_WAITING, RELOAD, Client, Live
from bus.hub.picture import Event, Told
from bus.policy import Clearance
from schemas.vocab import Tlp
from tests.support.consoles import AUDIENCES, EVERYTHING, Speaker, fill, shelf
from tests.support.waiting import eventually
from tests.support.world import NOW

LOW = Clearance(ceiling=Tlp.GREEN, audiences=AUDIENCES)


def event(n: int, what: str = "new") -> Event:
    """An event."""
    return Event(n=n, at=NOW, what=what, row=n, of="actual", about=f"id-{n}")


def several(*found: Event) -> Told:
    """Events as they are asked for."""
    return Told(events=found, upto=found[-1].n)


def told(client: Client) -> list[bytes]:
    """What waits for a client."""
    return [client.waiting.get_nowait() for _ in range(client.waiting.qsize())]


def listening(*clients: Client) -> Live:
    """What tells these clients; its store is not looked at."""
    live = Live(None, lambda: NOW)  # type: ignore[arg-type]
    live._clients.update(clients)
    return live


def test_an_event_is_encoded_once_for_all_who_may_read_the_same() -> None:
    """Of a hundred readers with two clearances each fifty cost one encoding, and hear what was told for theirs alone."""
    clients = [*(Client(EVERYTHING) for _ in range(50)), *(Client(LOW) for _ in range(50))]
    live = listening(*clients)
    live.tell(EVERYTHING, several(event(1), event(2)))
    live.tell(LOW, several(event(1)))
    assert live.encodings == 3
    assert [each.waiting.qsize() for each in clients] == [2] * 50 + [1] * 50
    assert all(b"id-2" not in words for client in clients[50:] for words in told(client))


def test_who_falls_behind_is_told_to_load_anew() -> None:
    """The queue holds 64, then one word more and nothing after it; others lose nothing."""
    slow, quick = Client(EVERYTHING), Client(EVERYTHING)
    live = listening(slow, quick)
    heard = []
    for n in range(1, 101):
        live.tell(EVERYTHING, several(event(n)))
        heard += told(quick)
    waiting = told(slow)
    assert len(waiting) == MOST_WAITING + 1
    assert waiting[-1] == RELOAD
    assert len(heard) == 100


@pytest.mark.parametrize(
    "found",
    [
        several(event(1, "remade")),
        several(*(event(n) for n in range(1, 99))),
        Told(events=(), upto=9, is_whole=False),
    ],
)
def test_what_cannot_be_told_one_by_one_is_loaded_anew(found: Told) -> None:
    """A picture that was made anew, much at once, and a log that does not reach back so far."""
    client = Client(EVERYTHING)
    listening(client).tell(EVERYTHING, found)
    assert told(client) == [RELOAD]


class Line:
    """The line of a browser: takes what is written, or blocks; ends when it is told to."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.status = 0
        self.gone, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()

    async def receive(self) -> dict[str, Any]:
        """Nothing until the line ends."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take what is written, or block."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        await self.free.wait()
        self.written.append(message["body"])

    @property
    def text(self) -> str:
        """All that was written."""
        return b"".join(self.written).decode()


def over(path: Path, work: Callable[[Live, asyncio.TaskGroup], Coroutine[Any, Any, None]]) -> None:
    """Do something with the live events of a store."""

    async def go() -> None:
        async with Reading.open(path, shelf()) as reading, asyncio.TaskGroup() as tasks:
            live = Live(reading, lambda: NOW, every_s=0.01)
            running = tasks.create_task(live.run())
            await work(live, tasks)
            running.cancel()

    asyncio.run(go())


def test_what_comes_is_told_with_its_number_and_replayed_from_it(tmp_path: Path) -> None:
    """A reader who was away gives the last number and gets what came since, each once and in order, within the ceiling."""
    path = tmp_path / "store.db"
    speaker, narrow = Speaker("xa-csirt"), Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    first = [speaker.say("One", 50), speaker.say("Two", 40)]
    asyncio.run(fill(path, first))

    async def work(live: Live, tasks: asyncio.TaskGroup) -> None:
        line = Line()
        task = tasks.create_task(live.stream(LOW, None, {}, line.receive, line.send))
        await eventually(lambda: "event: beat" in line.text)
        more = [speaker.say("Three", 30), speaker.say("Four", 10)]
        third, fourth = (each.bulletin.id for each in more)
        hidden = narrow.say("Hidden", 20)
        await fill(path, [*first, *more, hidden])
        await eventually(lambda: fourth in line.text)
        assert first[0].bulletin.id not in line.text
        assert hidden.bulletin.id not in line.text
        assert line.text.index(third) < line.text.index(fourth)
        line.gone.set()
        await task
        assert live.clients == 0
        numbers = [int(row.split(" ")[1]) for row in line.text.splitlines() if row.startswith("id: ")]
        again = Line()
        task = tasks.create_task(live.stream(LOW, numbers[0], {}, again.receive, again.send))
        await eventually(lambda: fourth in again.text)
        assert third not in again.text
        assert again.text.count(fourth) == 1
        again.gone.set()
        await task

    over(path, work)


def test_much_that_was_missed_is_not_replayed(tmp_path: Path) -> None:
    """More than 64 events since, and the page is to be loaded anew; then the line ends."""
    path = tmp_path / "store.db"
    speaker = Speaker("xa-csirt")
    asyncio.run(fill(path, [speaker.say(f"number {n}", 3000 - n) for n in range(MOST_WAITING + 2)]))

    async def work(live: Live, _: asyncio.TaskGroup) -> None:
        line = Line()
        await live.stream(EVERYTHING, 0, {}, line.receive, line.send)
        assert "event: reload" in line.text
        assert "event: bulletin" not in line.text

    over(path, work)


def test_a_line_that_takes_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader counts no more, and nobody else waited."""
    path = tmp_path / "store.db"
    asyncio.run(fill(path, [Speaker("xa-csirt").say("One", 50)]))
    monkeypatch.setattr(module, "WRITE_S", 0.05)

    async def work(live: Live, _: asyncio.TaskGroup) -> None:
        line = Line()
        line.free.clear()
        await live.stream(EVERYTHING, None, {}, line.receive, line.send)
        assert live.clients == 0

    over(path, work)


def test_who_may_not_read_so_much_any_more_hears_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line ends once its session has ended, was ended, or reads less; what comes after that is not told."""
    path = tmp_path / "store.db"
    asyncio.run(fill(path, [Speaker("xa-csirt").say("One", 50)]))
    monkeypatch.setattr(module, "ASKED_S", 0.0)
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    answers = iter((True, True, False))

    async def still() -> bool:
        return next(answers)

    async def work(live: Live, _: asyncio.TaskGroup) -> None:
        line = Line()
        await live.stream(LOW, None, {}, line.receive, line.send, still)
        assert line.text.count("event: beat") == 3
        assert live.clients == 0

    over(path, work)


def test_silence_has_a_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing comes the line says the time."""
    path = tmp_path / "store.db"
    asyncio.run(fill(path, [Speaker("xa-csirt").say("One", 50)]))
    monkeypatch.setattr(module, "BEAT_S", 0.01)

    async def work(live: Live, tasks: asyncio.TaskGroup) -> None:
        line = Line()
        task = tasks.create_task(live.stream(EVERYTHING, None, {}, line.receive, line.send))
        await eventually(lambda: line.text.count("event: beat") > 3)
        line.gone.set()
        await task

    over(path, work)


def test_more_readers_than_there_is_room_for_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and the others stay."""
    monkeypatch.setattr(module, "MOST_CLIENTS", 1)
    live = listening(Client(EVERYTHING))

    async def go() -> int:
        line = Line()
        await live.stream(EVERYTHING, None, {}, line.receive, line.send)
        return line.status

    assert asyncio.run(go()) == 503
    assert live.clients == 1


def test_nothing_breaks_out_of_its_event() -> None:
    """Line breaks in what others wrote stay inside the JSON of one line."""
    words = module.encoded(msgspec.structs.replace(event(1), about="a\n\ndata: b\rid: 9\u2028"))
    assert words.count(b"\n") == 4
    assert b"\r" not in words
