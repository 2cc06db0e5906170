"""The program as a process: killed while it sends, started again; and its commands."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bus.keys import write_secret
from bus.notify import deliveries
from bus.notify.book import Book
from bus.notify.shape import Message
from tests.support.hubs import take_in
from tests.support.office import TOCSIN
from tests.support.premises import Premises, world_of_today
from tests.support.receivers import Receiver
from tests.support.waiting import eventually_sync
from tests.support.world import draft, goes_on

MESSAGES, KILLS = 40, 3


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    """A hub without a key, with a store."""
    made = Premises(tmp_path / "p", "xb-hub")
    asyncio.run(
        take_in(made.state("xb-hub") / "store.db", made.world, goes_on(made.world, [], [draft("one")]))
    )
    write_secret(made.home / "key", base64.b64encode(b"k" * 32))
    return made


def rules(premises: Premises, address: str) -> None:
    """One rule to one webhook on this machine."""
    (premises.home / "notify.toml").write_text(
        f'networks = ["127.0.0.0/8"]\n[channel.hook]\nkind = "webhook"\naddress = "{address}"\nsecret_file = "key"\n'
        '[[rule]]\nname = "duty"\nchannel = "hook"\nwhen = "all"\n'
    )


@pytest.fixture
def received(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A receiver that is a process of its own, and the file with what it got."""
    file = tmp_path / "received"
    file.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.receivers", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip(), file
    process.kill()
    process.communicate()


async def _fill(path: Path) -> set[str]:
    now = dt.datetime.now(dt.UTC)
    said = Message(form="test", items=(), count=0, since=now, at=now)
    ids = {f"ntf_{n}" for n in range(MESSAGES)}
    async with Book.open(path) as book:
        for each in sorted(ids):
            await book.write(partial(deliveries.enqueue, id_=each, rule="", channel="hook", message=said))
    return ids


async def _waiting(path: Path) -> int:
    async with Book.open(path) as book:
        return len(await book.read(lambda db: deliveries.log_of(db, limit=1000, state="waiting")))


def test_a_program_that_is_killed_loses_nothing_and_repeats_what_was_on_its_way(
    premises: Premises, received: tuple[str, Path]
) -> None:
    """Each message comes; one that was on its way at a kill at most once more, under its id."""
    address, file = received
    rules(premises, address)
    path = premises.state("xb-hub") / "notify.db"
    ids = asyncio.run(_fill(path))

    def got() -> list[str]:
        whole = [line for line in file.read_text().splitlines() if line.endswith("}")]
        return [json.loads(line)["headers"]["webhook-id"] for line in whole]

    def has_got(most: int) -> bool:
        return len(set(got())) > most

    for kill in range(KILLS):
        with premises.running("xb-hub", "notify", "run") as process:
            eventually_sync(
                partial(has_got, (kill + 1) * 5),
                describe=lambda: premises.log("xb-hub").read_text(),
            )
            process.kill()
            process.wait()
    with premises.running("xb-hub", "notify", "run"):
        eventually_sync(lambda: set(got()) >= ids, describe=lambda: premises.log("xb-hub").read_text())
        eventually_sync(lambda: not asyncio.run(_waiting(path)))
    counts = Counter(got())
    assert ids <= set(counts)
    assert sum(counts[each] - 1 for each in ids) <= KILLS


def run(premises: Premises, *arguments: str) -> tuple[int, str, str]:
    """One command to its end."""
    done = subprocess.run(
        [TOCSIN, "--context", "xb-hub", *arguments],
        cwd=premises.folder,
        env=premises.env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_check_says_what_would_have_been_said(premises: Premises) -> None:
    """In the last 24 hours, by rule; nothing is sent."""
    rules(premises, "http://127.0.0.1:9")
    code, out, err = run(premises, "notify", "check", "--json")
    found: dict[str, Any] = json.loads(out.splitlines()[0])
    assert (code, err) == (0, "")
    assert (found["rule"], found["asked_for"], found["interrupts"], found["messages"]) == ("duty", 1, 0, 1)


def test_check_tells_every_fault_with_its_line(premises: Premises) -> None:
    """And ends with the code of a wrong setting."""
    (premises.home / "notify.toml").write_text('zone = "Mars/Base"\n[channel.hook]\nkind = "pigeon"\n')
    code, out, err = run(premises, "notify", "check")
    assert (code, out) == (2, "")
    assert "notify.toml:1:8: zone" in err
    assert "notify.toml:3:8: channel.hook.kind" in err


def test_a_test_message_says_what_came_back(premises: Premises) -> None:
    """Taken, or not and why; both stand in the log, which says nothing of what was sent."""
    receiver = Receiver(lambda n: (200 if n == 0 else 503, {}, b"evil\x1b[31m"))
    with receiver.serving() as address:
        rules(premises, address)
        assert run(premises, "notify", "test", "hook")[0] == 0
        code, out, _ = run(premises, "notify", "test", "hook", "--json")
    assert (code, json.loads(out)["reason"], json.loads(out)["said"]) == (
        1,
        "notify-refused",
        "it answers 503",
    )
    assert json.loads(receiver.requests[0].body)["data"]["form"] == "test"
    log = [json.loads(line) for line in run(premises, "notify", "log", "--json")[1].splitlines()]
    assert [(each["state"], each["form"]) for each in log] == [("given-up", "test"), ("sent", "test")]


def test_a_channel_that_is_not_there(premises: Premises) -> None:
    """Is named with the nearest."""
    rules(premises, "http://127.0.0.1:9")
    code, _, err = run(premises, "notify", "test", "hok")
    assert (code, "did you mean 'hook'" in err) == (3, True)


def test_the_store_is_only_read(premises: Premises) -> None:
    """By what runs beside the hub: not a byte of it changes."""
    rules(premises, "http://127.0.0.1:9")
    before = (premises.state("xb-hub") / "store.db").read_bytes()
    with premises.running("xb-hub", "notify", "run") as process:
        premises.says("xb-hub", "telling people", process)
        eventually_sync((premises.state("xb-hub") / "notify.db").exists)
        process.terminate()
        assert process.wait() == 0
    assert (premises.state("xb-hub") / "store.db").read_bytes() == before
    assert world_of_today() is premises.world
