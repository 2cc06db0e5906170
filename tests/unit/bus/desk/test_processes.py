"""Several processes over one file, as the console and commands are; and one that is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bus.desk import DeskError, Role, approvals, at_command_line, drafts, people, sessions, snoozes, trail
from bus.errors import StoreError
from schemas.vocab import Tlp
from tests.support.desks import GREEN, HOME, NOW, add, open_desk
from tests.support.waiting import longest

ROOT = Path(__file__).resolve().parents[4]
WRITER = """
import asyncio, sys
from pathlib import Path
from bus.desk import at_command_line, people, Role
from tests.support.desks import NOW, open_desk
async def main(folder, name, count):
    async with open_desk(Path(folder)) as desk:
        print("open", flush=True)
        sys.stdin.readline()
        for n in range(int(count)):
            act = at_command_line(NOW + n)
            await desk.write(lambda db: people.add(db, act, f"{name}{n}", "Somebody", [Role.READER]))
            print(n, flush=True)
asyncio.run(main(*sys.argv[1:]))
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that adds people, and says when the file is open and after each; it waits for a line to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name, str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def start(process: subprocess.Popen[str]) -> None:
    """Let it begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def rows(folder: Path) -> list[str]:
    """The ids of all people, read without our code."""
    with closing(sqlite3.connect(folder / "desk.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [row[0] for row in db.execute("SELECT id FROM people")]


def test_two_processes_write_one_trail(tmp_path: Path) -> None:
    """Nobody's change is lost, no number is given twice, and the chain holds."""
    both = [writer(tmp_path, name, 40) for name in ("ann", "bob")]
    for process in both:
        start(process)
    for process in both:
        process.communicate(timeout=longest())
        assert process.returncode == 0
    assert len(rows(tmp_path)) == 80

    async def verify() -> trail.Standing:
        async with open_desk(tmp_path) as desk:
            return await desk.read(trail.verify_audit)

    assert asyncio.run(verify()).last == 80


@pytest.mark.parametrize("after", [0, 1, 7, 23])
def test_a_process_that_is_killed_leaves_a_whole_file(tmp_path: Path, after: int) -> None:
    """With all that it has said is done, and each change with its record or neither."""
    with writer(tmp_path, "ann", 10_000) as process:
        assert process.stdout is not None
        start(process)
        told = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines()
    done = len(told) + len(rest)

    async def look() -> tuple[int, int]:
        async with open_desk(tmp_path) as desk:
            standing = await desk.read(trail.verify_audit)
            held = await desk.read(lambda db: people.listed(db, at_command_line(NOW)))
            await desk.write(lambda db: people.add(db, at_command_line(NOW), "next", "Next", [Role.READER]))
            return standing.last, len(held)

    last, held = asyncio.run(look())
    assert len(rows(tmp_path)) == held + 1
    assert held == last
    assert done <= held <= done + 1


async def test_what_another_process_did_holds_at_once(tmp_path: Path) -> None:
    """A person who was disabled from the command line does nothing more in the console."""
    async with open_desk(tmp_path) as console, open_desk(tmp_path, seed=8) as command:
        token = await add(console, "ann", Role.DUTY)
        await command.write(lambda db: people.disable(db, at_command_line(NOW), "ann"))
        with pytest.raises(DeskError) as refused:
            await console.act(
                token,
                NOW,
                HOME,
                lambda db, act: snoozes.put(db, act, GREEN, priority=2, until=NOW + 60, reason="x"),
            )
        assert refused.value.reason == "session-ended"


async def test_of_two_who_use_one_approval_at_once_one_does(tmp_path: Path) -> None:
    """Whichever process comes first."""
    async with open_desk(tmp_path) as one, open_desk(tmp_path, seed=8) as other:
        token = await add(one, "ann", Role.PUBLISHER)
        approver = await add(one, "bob", Role.APPROVER)
        draft = await one.act(
            token, NOW, HOME, lambda db, act: drafts.begin(db, act, "x", b"x", Tlp.GREEN, "community")
        )
        asked = await one.act(token, NOW, HOME, lambda db, act: approvals.ask(db, act, draft.n, draft.digest))
        await one.act(approver, NOW, HOME, lambda db, act: approvals.approve(db, act, asked.n, draft.digest))
        used = await asyncio.gather(
            *(
                desk.act(token, NOW, HOME, lambda db, act: approvals.spend(db, act, asked.n, draft.digest))
                for desk in (one, other, one, other)
            ),
            return_exceptions=True,
        )
        assert sorted(getattr(each, "reason", "used") for each in used) == ["approval-over"] * 3 + ["used"]


async def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    """Neither the change nor its record, nor that the session was used."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann", Role.DUTY)
        before = await desk.query("SELECT (SELECT count(*) FROM trail) AS n, used_at FROM sessions")
        with pytest.raises(DeskError):
            await desk.act(
                token,
                NOW + 600,
                HOME,
                lambda db, act: snoozes.put(db, act, GREEN, priority=1, until=NOW + 900, reason="x"),
            )
        after = await desk.query("SELECT (SELECT count(*) FROM trail) AS n, used_at FROM sessions")
        assert [tuple(row) for row in before] == [tuple(row) for row in after]


async def test_looking_keeps_a_session_alive(tmp_path: Path) -> None:
    """Once a minute is written."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann")
        for n in range(1, 5):
            await desk.look(token, NOW + n * (sessions.IDLE_S - 1), HOME, lambda _, act: act)
        with pytest.raises(DeskError):
            await desk.look(token, NOW + 5 * sessions.IDLE_S, HOME, lambda _, act: act)


async def test_tidying_takes_out_what_is_over_and_nothing_else(tmp_path: Path) -> None:
    """The trail still stands, and says what was taken off."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann", Role.DUTY)
        await desk.act(
            token,
            NOW,
            HOME,
            lambda db, act: snoozes.put(db, act, GREEN, priority=2, until=NOW + 60, reason="x"),
        )
        await desk.tidy(NOW + 61)
        await desk.look(token, NOW + 61, HOME, lambda _, act: act)
        assert len(await desk.query("SELECT * FROM snoozes WHERE ended_why = 'time'")) == 1
        await desk.tidy(NOW + 800 * 86_400)
        counts = await desk.query(
            "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM snoozes) AS over, (SELECT count(*) FROM people) AS people"
        )
        assert tuple(counts[0]) == (0, 1)
        assert (await desk.read(trail.verify_audit)).last > 4


async def test_another_kind_of_file_is_refused_and_left(tmp_path: Path) -> None:
    """As with every file of ours."""
    (tmp_path / "desk.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(StoreError):
        async with open_desk(tmp_path):
            pass
