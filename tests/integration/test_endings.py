"""Programs as processes: none is held up by its output, and each ends within seconds of a signal, whatever it waits for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import termios
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from bus.cli.frame.exit_codes import DONE, FAILURE, INTERRUPTED, QUEUED
from bus.health import read_states
from bus.publishing import GROUP
from tests.support.office import TOCSIN
from tests.support.premises import (
    NOBODY,
    Premises,
    black_hole,
    ends,
    full_pipe,
    held_by_another,
    world_of_today,
)
from tests.support.stage import Bus, serving, speaking
from tests.support.waiting import eventually, eventually_sync, longest, stretched
from tests.support.world import draft

pytestmark = pytest.mark.short_faults

HUB, OTHER_HUB, CSIRT, AUTHOR = "xa-hub", "xb-hub", "xa-csirt", "xa-emb"
CODES = {HUB: DONE, OTHER_HUB: INTERRUPTED, CSIRT: DONE, AUTHOR: QUEUED}
"""With which code each ends that is asked to: hub run, watch, heartbeat run, adapter run with bulletins that wait."""
WAITS = {HUB: "nothing can be read", OTHER_HUB: "nothing can be read", CSIRT: "stalled", AUTHOR: "stalled"}
WITHIN_S = 5.0


def command(identity: str, folder: Path) -> tuple[str, ...]:
    """What each of them runs."""
    return {
        HUB: ("hub", "run"),
        OTHER_HUB: ("watch",),
        CSIRT: ("heartbeat", "run"),
        AUTHOR: ("adapter", "run", "cyber", "--spool", str(folder / "spool")),
    }[identity]


@contextlib.contextmanager
def all_running(folder: Path, url: str) -> Iterator[tuple[Premises, dict[str, subprocess.Popen[bytes]]]]:
    """All four side by side, each waiting for a bus that does not answer."""
    premises = Premises(folder / "premises", *CODES, url=url)
    with contextlib.ExitStack() as stack:
        programs = {
            name: stack.enter_context(premises.running(name, *command(name, folder))) for name in CODES
        }
        for name, program in programs.items():
            premises.says(name, WAITS[name], program)
        yield premises, programs


def end_all(programs: dict[str, subprocess.Popen[bytes]]) -> tuple[dict[str, int], float]:
    """Ask all to end. Returns their exit codes, and the seconds of the last."""
    for program in programs.values():
        program.send_signal(signal.SIGTERM)
    ended = {name: ends(program, signal.SIGCONT) for name, program in programs.items()}
    return {name: code for name, (code, _) in ended.items()}, sum(seconds for _, seconds in ended.values())


@pytest.mark.slow
@pytest.mark.parametrize("bus", ["down", "silent"])
def test_programs_end_when_asked_though_the_bus_does_not_answer(bus: str, tmp_path: Path) -> None:
    """Nobody listens there, or somebody who takes connections and never says a word."""
    with (
        black_hole() as silent,
        all_running(tmp_path, silent if bus == "silent" else NOBODY) as (_, programs),
    ):
        codes, seconds = end_all(programs)
    assert codes == CODES
    assert seconds < stretched(WITHIN_S)


@pytest.mark.slow
def test_programs_end_when_asked_though_their_stores_are_in_use(tmp_path: Path) -> None:
    """Another process writes to each and does not end; what they give up of their own end they say."""
    with all_running(tmp_path, NOBODY) as (premises, programs), contextlib.ExitStack() as stack:
        for name in CODES:
            for path in premises.state(name).glob("*.db"):
                stack.enter_context(held_by_another(path))
        codes, seconds = end_all(programs)
        assert {HUB: DONE, OTHER_HUB: INTERRUPTED, CSIRT: DONE}.items() <= codes.items()
        assert codes[AUTHOR] in (DONE, QUEUED)  # whether all is sent cannot be asked
        assert seconds < stretched(WITHIN_S)


@pytest.mark.slow
def test_a_second_signal_ends_a_program_at_once(tmp_path: Path) -> None:
    """While it still waits for a store that is in use. It says so, and ends as what is interrupted."""
    premises = Premises(tmp_path / "premises", CSIRT)
    with premises.running(CSIRT, "heartbeat", "run") as program:
        premises.says(CSIRT, "stalled", program)
        with held_by_another(premises.state(CSIRT) / "outbox.db"):
            program.send_signal(signal.SIGTERM)
            program.send_signal(signal.SIGINT)
            assert program.wait(longest()) == INTERRUPTED
    assert "ended at once" in premises.log(CSIRT).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_publish_that_is_interrupted_tells_what_it_has_accepted(
    signum: signal.Signals, tmp_path: Path
) -> None:
    """Each line is a bulletin in the outbox, and each of those has a line: nobody publishes one of them again unknowing."""
    premises = Premises(tmp_path / "premises", CSIRT)
    drafts = []
    for number in range(5 * GROUP):
        drafts.append(str(tmp_path / f"{number}.json"))
        Path(drafts[-1]).write_bytes(msgspec.json.encode(draft(f"number {number}")))
    # The second group waits here until the signal has been sent: however slow the machine is, it is not all done before.
    waits = tmp_path / "waits.json"
    os.mkfifo(waits)
    drafts[GROUP] = str(waits)
    outbox = premises.state(CSIRT) / "outbox.db"

    def kept() -> list[str]:
        try:
            with contextlib.closing(sqlite3.connect(f"{outbox.as_uri()}?mode=ro", uri=True)) as db:
                return [found for (found,) in db.execute("SELECT id FROM outbox ORDER BY n")]
        except sqlite3.Error:
            return []

    publish = (
        "publish",
        *drafts,
        "--again",
        "--tlp",
        "green",
        "--audience",
        "community",
        "--wait",
        "accepted",
        "--json",
    )
    with (tmp_path / "out").open("wb") as out, premises.running(CSIRT, *publish, out=out) as program:
        eventually_sync(lambda: kept() or program.poll() is not None)
        program.send_signal(signum)
        waits.write_bytes(msgspec.json.encode(draft("the last")))
        code = program.wait(longest())
    told = [json.loads(line)["id"] for line in (tmp_path / "out").read_text().splitlines()]
    assert 0 < len(told) < len(drafts)
    assert told == kept()
    assert code == INTERRUPTED
    assert f"{len(told)} of {5 * GROUP} accepted" in premises.log(CSIRT).read_text()


@pytest.mark.slow
def test_a_program_that_is_ended_by_an_error_says_so_in_its_state(tmp_path: Path) -> None:
    """Its outbox is moved away while it runs: whoever looks later is told why it has ended."""
    premises = Premises(tmp_path / "premises", CSIRT)
    with premises.running(CSIRT, "heartbeat", "run") as program:
        premises.says(CSIRT, "stalled", program)
        (premises.state(CSIRT) / "outbox.db").rename(tmp_path / "elsewhere.db")
        assert program.wait(longest()) == FAILURE
    (seen,) = read_states(premises.state(CSIRT)).seen
    assert "was deleted or moved" in seen.state.problem


@pytest.mark.slow
def test_a_question_is_broken_off_and_the_terminal_is_as_before(tmp_path: Path) -> None:
    """A signal that comes while a passphrase is asked for leaves no terminal without an echo."""
    premises = Premises(tmp_path / "premises", OTHER_HUB)
    (premises.home / "seal.pem").write_text("none")
    config = premises.home / "config.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("passphrase_file")]
    config.write_text("\n".join([*lines, 'seal_keys = "seal.pem"']))
    here, there = pty.openpty()
    try:
        program = subprocess.Popen(
            [TOCSIN, "--context", OTHER_HUB, "watch"],
            cwd=premises.folder,
            env=premises.env,
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            preexec_fn=lambda: _own_terminal(there),  # noqa: PLW1509 (one ioctl and no more)
        )
        seen = b""
        while b"passphrase" not in seen:
            seen += os.read(here, 1000)
        eventually_sync(lambda: not termios.tcgetattr(there)[3] & termios.ECHO)
        code, _ = ends(program)
        assert code == INTERRUPTED
        assert termios.tcgetattr(there)[3] & termios.ECHO
    finally:
        os.close(here)
        os.close(there)


def _own_terminal(there: int) -> None:
    """Make a terminal that of this session."""
    import fcntl

    fcntl.ioctl(there, termios.TIOCSCTTY, 0)


# -- output that nobody reads -----------------------------------------------------------------------------------------------


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    """A broker for programs that look at the clock."""
    async with serving(tmp_path / "server", world_of_today()) as broker:
        yield broker


def held(premises: Premises, identity: str) -> int:
    """How many bulletins of people a hub has admitted."""
    path = premises.state(identity) / "store.db"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute(
                "SELECT count(*) FROM admitted WHERE channel NOT LIKE '%/system%' AND channel NOT LIKE '%/beat%'"
            ).fetchone()
    except sqlite3.Error:
        return -1
    return int(found[0])


@pytest.mark.slow
async def test_a_hub_admits_though_nobody_reads_what_it_prints(bus: Bus, tmp_path: Path) -> None:
    """A full pipe, then one whose reader has gone away: it goes on reading, and ends when asked."""
    premises = Premises(tmp_path / "premises", OTHER_HUB, url=bus.server.url)
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        wanted = 0
        for is_gone in (False, True):
            with full_pipe() as (there, here):
                if is_gone:
                    os.close(there)
                with premises.running(OTHER_HUB, "hub", "run", out=here, err=here) as hub:
                    for _ in range(30):
                        await publisher.publish(draft("number " * 20))
                    wanted += 30
                    await eventually(lambda wanted=wanted: held(premises, OTHER_HUB) == wanted)  # type: ignore[misc]
                    assert hub.poll() is None
                    code, seconds = await asyncio.to_thread(ends, hub)
                    assert code == DONE
                    assert seconds < stretched(WITHIN_S)


@pytest.mark.slow
async def test_a_watch_waits_for_its_reader_and_loses_no_line(bus: Bus, tmp_path: Path) -> None:
    """Its output is its work: all of it comes once it is read; a reader that goes away ends it quietly."""
    premises = Premises(tmp_path / "premises", OTHER_HUB, url=bus.server.url)
    count = 40
    async with speaking(bus, tmp_path / "outbox.db") as publisher:
        for _ in range(count):
            await publisher.publish(draft("number " * 20))
        with (
            full_pipe() as (there, here),
            premises.running(OTHER_HUB, "hub", "run", out=subprocess.DEVNULL, err=subprocess.DEVNULL),
            premises.running(OTHER_HUB, "watch", "--since", "all", "--json", out=here) as watch,
        ):
            await eventually(lambda: held(premises, OTHER_HUB) == count)
            os.close(here)
            seen = b""
            while seen.count(b"\n") < count:
                seen += await asyncio.to_thread(os.read, there, 65_536)
            rows = [json.loads(line) for line in seen.lstrip(b".").splitlines()]
            assert [row["bulletin"]["seq"] for row in rows] == list(range(1, count + 1))
            os.close(there)
            for _ in range(2):
                await publisher.publish(draft("one more"))
            code = await asyncio.to_thread(watch.wait, longest())
    assert code == DONE
    assert "tocsin:" not in premises.log(OTHER_HUB).read_text()
