"""The power fails: what was not synced is gone, in the broker's store, in outboxes and in hubs, and nothing accepted is lost.

All of a run's files but its history stand on a file system in an image. In the middle of the traffic every program is
stopped, the image is copied as it is, and everything goes on from the copy: what only the page cache above it held is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.checker import Bounds
from tests.faults.history import Admitted, Fault
from tests.faults.stage import Stage, staged


def run(*command: str | Path) -> None:
    """A command of the system, which must succeed."""
    subprocess.run(command, check=True, capture_output=True)


class Disk:
    """A file system in an image, mounted; its power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.mounted = folder / "disk"
        self.mounted.mkdir()
        self._folder, self._image = folder, folder / "power-on.img"
        with self._image.open("wb") as file:
            file.truncate(256 * 1024**2)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self._image)
        run("mount", "-o", "loop", self._image, self.mounted)

    def photograph(self) -> Path:
        """The image as it is now, without what the kernel has not written to it yet."""
        copy = self._folder / "power-off.img"
        run("cp", "--sparse=always", self._image, copy)
        return copy

    def go_on_from(self, image: Path) -> None:
        """Mount another image in the place of this one."""
        self.unmount()
        self._image = image
        run("mount", "-o", "loop", image, self.mounted)

    def unmount(self) -> None:
        """Give mount and loop device back; the image goes with them."""
        run("umount", self.mounted)
        self._image.unlink()


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A disk, or a reason why this machine cannot have one."""
    try:
        disk = Disk(folder)
    except (OSError, subprocess.CalledProcessError) as exc:
        pytest.skip(f"this machine mounts no image: {exc}")
    try:
        yield disk
    finally:
        disk.unmount()


@pytest.mark.timeout(180)
@pytest.mark.faults
async def test_nothing_accepted_is_missing_after_a_power_cut(tmp_path: Path) -> None:
    """Broker, outboxes and hubs lose what they had not synced, all at once; no promise is broken."""
    history = tmp_path / "history"
    history.mkdir()
    with mounted(tmp_path) as disk:
        folder = disk.mounted / "run"
        folder.mkdir()
        (folder / "history").symlink_to(history)
        async with staged(folder, nodes=1, speakers=("xa-csirt", "xa-dpa"), rate=30, forged=5) as stage:
            run("sync", "-f", disk.mounted)  # what an operator laid down days ago
            await stage.begun()
            await stage.tells("xa-hub", Admitted, 100)
            await _cut(stage, disk)
            await stage.tells("xa-hub", Admitted, 100)
            await stage.finish()
            verdict = stage.verdict()
    assert verdict.broken(Bounds()) == []
    assert verdict.faults == {"power-cut": 1}
    assert verdict.accepted > 100


async def _cut(stage: Stage, disk: Disk) -> None:
    """All programs stop at one instant and lose what the disk had not been given."""
    pids = [each.process.pid for each in stage.programs.values()] + [stage.servers["n1"].pid]
    stage.history.tell(Fault(kind="power-cut", target="all"))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    image = disk.photograph()
    for program in stage.programs.values():
        program.kill()
    stage.servers["n1"].kill()
    await asyncio.to_thread(disk.go_on_from, image)
    await stage.servers["n1"].restart()
    for program in stage.programs.values():
        program.start()


def test_what_was_not_synced_is_gone_after_the_cut(tmp_path: Path) -> None:
    """The cut cuts: of two files written alike, the synced one is there afterwards and the other is not."""
    with mounted(tmp_path) as disk:
        run("sync", "-f", disk.mounted)
        with (disk.mounted / "synced").open("wb") as file:
            file.write(b"said")
            file.flush()
            os.fsync(file.fileno())
        (disk.mounted / "unsynced").write_bytes(b"said")
        disk.go_on_from(disk.photograph())
        found = {each.name: each.read_bytes() for each in disk.mounted.iterdir() if each.is_file()}
        assert found.get("synced") == b"said"
        assert found.get("unsynced") != b"said"
