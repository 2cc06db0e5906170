"""The guide of a federation, command by command as it is written there: every part a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from bus.demo.federation import free_port
from bus.server.running import ports_of
from tests.support.guides import Block, Reader, blocks
from tests.support.office import TOCSIN, Desk, Office
from tests.support.waiting import eventually_sync, longest

PORT = re.compile(r"\b422[234]\b")


class Founded(NamedTuple):
    """A desk at which the guide was followed until something is to be started, and what it says from there on."""

    folder: Path
    shown: dict[str, str]
    rest: list[Block]


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """The registry, the contexts and the federation's file of the guide, with ports that are free here."""
    ports = {str(port): str(free_port()) for port in range(4222, 4225)}
    guide = [
        each._replace(text=PORT.sub(lambda found: ports[found[0]], each.text))
        for each in blocks("federation.md")
    ]
    starting = [each.word for each in guide].index("running")
    with pytest.MonkeyPatch.context() as patch:
        reader = Reader(Desk(tmp_path_factory.mktemp("desk"), patch))
        for block in guide[:starting]:
            follow(reader, block)
    return Founded(reader.desk.folder, reader.shown, guide[starting:])


@pytest.fixture
def reader(founded: Founded, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Somebody at that desk."""
    reader = Reader(Desk(founded.folder, monkeypatch))
    reader.shown = dict(founded.shown)
    return reader


def follow(reader: Reader, block: Block) -> list[str]:
    """Write the file, or run each line, and say what each printed; a check is made again until everything is there."""
    if block.language == "toml":
        reader.write(block.word, block.text)
        return []
    lines = block.text.splitlines()
    for line in lines:
        if line.startswith("tocsin server check"):
            until(reader.desk, partial(_sound, reader, line))
    return [reader.follow(line) for line in lines]


def until(office: Office, ready: Callable[[], bool]) -> None:
    """Wait for something that processes bring about."""
    eventually_sync(ready, describe=(office.folder / "server.log").read_text)


def _sound(reader: Reader, line: str) -> bool:
    done = subprocess.run(
        [TOCSIN, *reader.words(line)],
        cwd=reader.desk.folder,
        env=reader.desk.env,
        capture_output=True,
    )
    return done.returncode == 0 and b"not attached" not in done.stdout


@contextmanager
def running(office: Office, commands: list[list[str]]) -> Iterator[None]:
    """These in the background, all at once; each is ended as a service manager does, and ends well."""
    started = [office.start(*command) for command in commands]
    try:
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(longest()) for process in started]
    assert codes == [0] * len(commands), (office.folder / "server.log").read_text()


JOINED = ("--federation", "federation.toml", "--as")
MISTAKES = {
    "a file and no name": ("xa", ("--federation", "federation.toml"), "--as NAME"),
    "a name and no file": ("xa", ("--as", "xa"), "--federation FILE"),
    "a place that is not in the file": ("xa", (*JOINED, "xz"), "there is no xz in it; it has east, xa, xb"),
    "a node of one server": ("east", (*JOINED, "east", "--node", "2"), "there is no node 2"),
    "no such file": ("xa", ("--federation", "nowhere.toml", "--as", "xa"), "nowhere.toml"),
    "a file that is none": ("xa", ("--federation", "registry.tocsin.json", "--as", "xa"), "the federation file"),
    "another's folder": ("xb", (*JOINED, "xa"), "another key than the one in"),
    "a folder without the key": ("xz", (*JOINED, "xa"), "tocsin server carrier-key xz/broker"),
    "a country of nobody": ("xa", ("--federation", "other.toml", "--as", "xz"), "no authority of xz is in nations"),
}  # fmt: skip


def test_a_mistake_is_said_before_anything_is_started(reader: Reader) -> None:
    """One sentence with what is wrong, exit code 2, and nothing written."""
    folder = reader.desk.folder
    file = (folder / "federation.toml").read_text()
    (folder / "other.toml").write_text(file.replace("countries.xa", "countries.xz"))

    def written() -> list[Path]:
        return sorted(path for path in folder.rglob("*") if "broker" in path.parts)

    before = written()
    for name, (place, options, expected) in MISTAKES.items():
        told = reader.desk.run("server", "run", f"{place}/broker", "--context", "xa-csirt", *options, code=2)
        assert expected in told, name
        assert told.count("\n") == 1, name
        assert written() == before, name


def test_whoever_is_told_to_end_while_it_starts_ends_with_its_server(reader: Reader) -> None:
    """SIGTERM as soon as its nats-server is there: exit code 0, and no nats-server is left over."""
    folder = reader.desk.folder / "xa" / "broker"
    options = ("--port", str(free_port()), "--context", "xa-csirt", *JOINED, "xa")
    with running(reader.desk, [["server", "run", "xa/broker", *options]]):
        until(reader.desk, lambda: ports_of(folder) is not None)
    assert ports_of(folder) is None


def test_the_guide_joins_countries(reader: Reader, founded: Founded) -> None:
    """A bulletin is received abroad and withdrawn there, a next version reaches everybody, and all of it ends well."""
    starting, *rest = founded.rest
    last = rest.pop()
    *lines, look = last.text.splitlines()
    with running(reader.desk, [reader.words(line) for line in starting.text.splitlines()]):
        printed = [out for block in rest for out in follow(reader, block)]
        east, receipts = printed[0], printed[-1]
        for carrier in ("carrier_xa", "carrier_xb"):
            assert re.search(rf"^ok\s+{carrier}\s+attached", east, re.MULTILINE)
        assert receipts.startswith("received, withdrawn: xa-csirt/actual.green.community")
        seen = reader.desk.view("watch", "--context", "xb-hub", "--since", "all", "--no-follow", "--json")
        assert [json.loads(line)["bulletin"]["msg_type"] for line in seen.splitlines()] == ["alert", "cancel"]
        follow(reader, last._replace(text="\n".join(lines)))
        until(reader.desk, lambda: "version 2, 3 authorities" in reader.follow(look))
        until(reader.desk, lambda: _sound(reader, rest[0].text.splitlines()[0]))
