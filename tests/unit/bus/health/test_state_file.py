"""State files: whole, separate for each process, written also on a full disk, and deleted on request."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from bus.health import DiskFacts, Facts, ReaderFacts, StateFile, forget, keep_state, read_states, state_file
from bus.health.state_file import read_state
from bus.storage import lease

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
FACTS = Facts(identity="xa-hub", reader=ReaderFacts(attached=True, behind=3))


def clock() -> dt.datetime:
    """The present of these tests."""
    return NOW


def gone() -> str:
    """The name of an owner whose process is gone."""
    boot, _, _, nonce = lease.owner_name().split(":")
    return f"{boot}:{2**22 + 1}:1:{nonce}"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """With program, process and moment, and that it lives."""
    StateFile(tmp_path, "hub", clock=clock).write(FACTS)
    (seen,) = read_states(tmp_path).seen
    assert (seen.alive, seen.state.program, seen.state.pid, seen.state.as_of) == (
        True,
        "hub",
        os.getpid(),
        NOW,
    )
    assert seen.state.facts == FACTS


def test_a_killed_program_is_seen_as_gone(tmp_path: Path) -> None:
    """Its file stays, its process does not."""
    StateFile(tmp_path, "hub", clock=clock, owner=gone()).write(FACTS)
    (seen,) = read_states(tmp_path).seen
    assert not seen.alive
    assert seen.state.ended_at is None


def test_two_programs_of_one_name_have_a_file_each(tmp_path: Path) -> None:
    """A waiting hub beside the reading one: each keeps its own file."""
    first, second = (StateFile(tmp_path, "hub", clock=clock) for _ in range(2))
    for file in (first, second, first, second):
        file.write(FACTS)
    assert sorted(path.name for path in (tmp_path / "health").iterdir()) == ["hub-2.json", "hub.json"]


def test_a_file_of_a_program_that_is_gone_is_taken_over(tmp_path: Path) -> None:
    """A new program gets the plain name."""
    StateFile(tmp_path, "hub", clock=clock, owner=gone()).write(FACTS)
    StateFile(tmp_path, "hub", clock=clock).write(FACTS)
    (seen,) = read_states(tmp_path).seen
    assert seen.alive


def test_the_last_word_of_a_lasting_program_stays(tmp_path: Path) -> None:
    """The file says when it ended, and why."""
    file = StateFile(tmp_path, "hub", clock=clock)
    file.write(FACTS)
    file.end(FACTS, "the store has failed")
    (seen,) = read_states(tmp_path).seen
    assert (seen.state.ended_at, seen.state.problem) == (NOW, "the store has failed")


def test_nothing_stays_of_a_passing_program(tmp_path: Path) -> None:
    """Nobody misses a watch that was ended."""
    file = StateFile(tmp_path, "watch", clock=clock, lasting=False)
    file.write(FACTS)
    file.end(FACTS)
    assert read_states(tmp_path).seen == ()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"program": "hub"}', b"\xff" * 300_000])
def test_a_file_that_is_no_state_is_told_and_written_over(tmp_path: Path, raw: bytes) -> None:
    """It says nothing of the program, which may have been killed; the program that runs takes its place."""
    (tmp_path / "health").mkdir()
    (tmp_path / "health" / "hub.json").write_bytes(raw)
    assert read_states(tmp_path) == ((), ("hub",))
    StateFile(tmp_path, "hub", clock=clock).write(FACTS)
    seen, unread = read_states(tmp_path)
    assert (len(seen), unread) == (1, ())


def test_no_flipped_bit_makes_a_state_another(tmp_path: Path) -> None:
    """It is read unchanged or not at all, and can be deleted by the program's name."""
    file = StateFile(tmp_path, "hub", clock=clock, owner=gone())
    file.write(FACTS)
    (sound,) = read_states(tmp_path).seen
    raw = file.path.read_bytes()
    for place in range(len(raw.rstrip()) + 1):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        file.path.write_bytes(changed)
        assert read_states(tmp_path) in (((sound,), ()), ((), ("hub",)))
    assert not forget(tmp_path, "watch")
    assert forget(tmp_path, "hub")
    assert read_states(tmp_path) == ((), ())


def test_an_owner_that_is_no_process_says_nothing(tmp_path: Path) -> None:
    """This holds for a file of any writer."""
    StateFile(tmp_path, "hub", clock=clock, owner="nobody").write(FACTS)
    assert read_states(tmp_path) == ((), ("hub",))


def test_where_another_file_has_no_room_the_old_one_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk keeps no program from saying that it is full."""
    file = StateFile(tmp_path, "hub", clock=clock)
    file.write(FACTS)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    file.write(Facts(identity="xa-hub", reader=ReaderFacts(behind=7)))
    (seen,) = read_states(tmp_path).seen
    assert seen.state.facts.reader == ReaderFacts(behind=7)
    assert file.path.stat().st_size % state_file.BLOCK == 0


def test_a_program_that_is_not_meant_to_run_is_forgotten(tmp_path: Path) -> None:
    """One that runs is not."""
    StateFile(tmp_path, "adapter", clock=clock, owner=gone()).write(FACTS)
    StateFile(tmp_path, "hub", clock=clock).write(FACTS)
    assert forget(tmp_path, "adapter")
    assert not forget(tmp_path, "hub")
    assert [seen.state.program for seen in read_states(tmp_path).seen] == ["hub"]


async def test_the_keeping_goes_on_when_the_disk_takes_nothing(tmp_path: Path) -> None:
    """`alive` is called each time."""
    rounds = 0

    class EnoughError(Exception):
        """The test has seen enough."""

    def count() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise EnoughError

    async def facts() -> Facts:
        return FACTS

    (tmp_path / "health").write_text("in the way")
    file = StateFile(tmp_path, "hub", clock=clock)
    with pytest.raises(EnoughError):
        await keep_state(file, facts, alive=count, every_s=0.0)


def test_a_state_without_bottom_is_none(tmp_path: Path) -> None:
    """This holds for any depth."""
    path = tmp_path / "hub.json"
    path.write_bytes(b'{"sha256":"","state":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert read_state(path) is None


def test_a_path_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    """Names of files may hold any bytes: the program goes on, and with its last word too."""
    file = StateFile(tmp_path, "hub", clock=lambda: NOW)
    file.write(Facts(identity="xa-hub", disk=DiskFacts(folder="/srv/\udcff")), problem="no /srv/\udcff")
    (seen,) = read_states(tmp_path).seen
    assert seen.state.problem == "no /srv/\\udcff"
    assert seen.state.facts.disk is not None
    assert seen.state.facts.disk.folder == "/srv/\\udcff"
