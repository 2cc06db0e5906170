"""kill -9 of `server run`, of its nats-server, and of both, under two countries and a union: all stand again, nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bus.server.running import ports_of
from tests.support.guides import Reader
from tests.support.joined import Founded, found, is_sound, reader_at
from tests.support.office import TOCSIN
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync, longest

SCANS = """
tlp = "green"
audience = "community"

[[info]]
lang = "en"
headline = "Scans {number}"
summary = "Since noon, from 192.0.2.0/24."

[body]
kind = "cyber-threat"
title = "Scans {number}"
"""
VICTIMS = ("server run", "nats-server", "both")
GONE_IN = {"server run": -signal.SIGKILL, "nats-server": 7, "both": -signal.SIGKILL}


class Program:
    """One command in the background, which is begun again when it was killed; its output in a file of its own."""

    def __init__(self, reader: Reader, name: str, line: str) -> None:
        self.desk = reader.desk
        self.words = reader.words(line)
        self.file = reader.desk.folder / f"{name}.said"
        self.begin()

    def begin(self) -> None:
        """Start it; what it says from now on is new."""
        with self.file.open("wb") as out:
            self.process = subprocess.Popen(
                [TOCSIN, *self.words], cwd=self.desk.folder, env=self.desk.env, stdout=out, stderr=out
            )

    def until_it_serves(self) -> None:
        """Wait for its word that it does."""

        def serves() -> bool:
            assert self.process.poll() is None, self.file.read_text()
            return "serving " in self.file.read_text()

        eventually_sync(serves, describe=self.file.read_text)


@contextmanager
def running(reader: Reader, lines: list[str]) -> Iterator[dict[str, Program]]:
    """The programs of the guide, by the folder of their broker; the others by their line."""
    programs = {}
    try:
        for line in lines:
            name = next((each for each in ("east", "xa", "xb") if f" {each}/broker " in line), line)
            programs[name] = Program(reader, name.replace(" ", "-"), line)
        yield programs
    finally:
        for each in programs.values():
            each.process.send_signal(signal.SIGTERM)
        codes = {name: each.process.wait(longest()) for name, each in programs.items()}
    assert set(codes.values()) == {0}, codes


def rounds(founded: Founded, patch: pytest.MonkeyPatch, plan: list[tuple[str, str]]) -> None:
    """Kill what the plan says, one after the other, while an author goes on; in the end the hub abroad has everything."""
    reader = reader_at(founded, patch)
    desk = reader.desk
    checks = {
        each: line
        for block in founded.rest
        for line in block.text.splitlines()
        for each in ("east", "xa", "xb")
        if line.startswith(f"tocsin server check {each}/")
    }
    starting = founded.rest[0].text.splitlines()
    said: list[str] = []

    def say() -> None:
        (desk.folder / "scans.toml").write_text(SCANS.format(number=len(said)))
        told = desk.run(
            "publish", "scans.toml", "--again", "--wait", "accepted", "--context", "xa-csirt", "--json"
        )
        said.append(json.loads(told.splitlines()[0])["digest"])

    with running(reader, [*starting, "tocsin heartbeat run --context xa-csirt"]) as programs:
        servers = {name: programs[name] for name in ("east", "xa", "xb")}
        for each in servers.values():
            each.until_it_serves()
        for place, victim in plan:
            say()
            folder, program = desk.folder / place / "broker", servers[place]
            at = ports_of(folder)
            assert at is not None
            for pid in {"server run": [program.process.pid], "nats-server": [at.pid]}.get(
                victim, [program.process.pid, at.pid]
            ):
                os.kill(pid, signal.SIGKILL)
            assert program.process.wait(longest()) == GONE_IN[victim], program.file.read_text()
            say()
            assert not is_sound(reader, checks[place]), f"{place} is green and nobody stands behind it"
            program.begin()
            program.until_it_serves()
            now = ports_of(folder)
            assert now is not None
            assert now.pid != at.pid
            assert not alive(at.pid)
            for name, line in checks.items():
                eventually_sync(
                    partial(is_sound, reader, line),
                    describe=servers[name].file.read_text,
                    pause_s=COMMAND_PAUSE_S,
                )

        def has_all() -> bool:
            seen = desk.view("watch", "--context", "xb-hub", "--since", "all", "--no-follow", "--json")
            return [json.loads(line)["digest"] for line in seen.splitlines()] == said

        eventually_sync(has_all, pause_s=COMMAND_PAUSE_S)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.short_faults
def test_each_death_of_a_countrys_server_is_mended_by_starting_it_again(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`server run`, its nats-server, and both: said by `server check`, ended in its turn, and the carrier comes back."""
    founded = found(tmp_path_factory.mktemp("desk"))
    rounds(founded, monkeypatch, [("xa", victim) for victim in VICTIMS])


@pytest.mark.faults
def test_twenty_deaths_of_servers_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By seed, anywhere: of a country's, of the union's."""
    drawn = random.Random(11)
    founded = found(tmp_path_factory.mktemp("desk"))
    plan = [(drawn.choice(("east", "xa", "xb")), drawn.choice(VICTIMS)) for _ in range(20)]
    rounds(founded, monkeypatch, plan)
