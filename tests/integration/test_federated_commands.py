"""The guide of a federation, command by command as it is written there: every part a process of its own."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from bus.server.running import ports_of
from tests.support.guides import Reader
from tests.support.joined import Founded, follow, found, is_sound, reader_at, until
from tests.support.office import Office
from tests.support.waiting import longest

pytestmark = pytest.mark.short_faults


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Founded:
    """The registry, the contexts and the federation's file of the guide."""
    return found(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def reader(founded: Founded, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Somebody at that desk."""
    return reader_at(founded, monkeypatch)


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
    "another's folder": ("xb", (*JOINED, "xa"), "has another key than"),
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


@pytest.mark.slow
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
        until(reader.desk, lambda: is_sound(reader, rest[0].text.splitlines()[0]))
