"""The scene: the chapters of the record in their order, in a folder that is gone afterwards."""

from __future__ import annotations

import datetime as dt
import platform
import shutil
import sys
import time
from pathlib import Path

from bus.demo.federation import MONITOR_ABOVE, free_port
from tests.record import (
    alone,
    amending,
    dead,
    errors,
    founding,
    material,
    reading,
    serving,
    sharing,
    speaking,
    upkeep,
)
from tests.record.desk import NATS_SERVER, Chapter, Desk

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def play(desk: Desk) -> None:
    """Play every chapter at a desk whose folder is empty."""
    folder = desk.folder
    (folder / "tmp").mkdir()
    beside = Path(sys.executable).parent / NATS_SERVER
    # A link, because the width of a table depends on the length of a path.
    (folder / NATS_SERVER).symlink_to(beside if beside.exists() else shutil.which(NATS_SERVER) or NATS_SERVER)
    now = dt.datetime.now(dt.UTC)
    port = free_port()
    desk.name(str(folder), "folder")
    desk.name(str(CHECKOUT), "checkout")
    desk.name(str(Path(sys.prefix)), "environment")
    desk.name(platform.python_version(), "python")
    desk.name(str(port), "port")
    desk.name(str(port + MONITOR_ABOVE), "monitor port")
    material.lay_out(desk, now)
    chapter(desk, "alone", alone.play)
    chapter(desk, "keys", founding.keys)
    digest = founding.registry(desk)
    founding.contexts(desk, digest, f"nats://127.0.0.1:{port}")
    chapter(desk, "errors", errors.play)
    with serving.broker(desk, port):
        chapter(desk, "speaking", speaking.play)
        chapter(desk, "reading", reading.play)
        chapter(desk, "amending", amending.play)
        chapter(desk, "sharing", sharing.play)
        chapter(desk, "upkeep", upkeep.play)
    chapter(desk, "dead", dead.play)


def chapter(desk: Desk, name: str, play_it: Chapter) -> None:
    """Play one chapter, and say on standard error how long it took."""
    began = time.monotonic()
    play_it(desk)
    sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s, {len(desk.entries)} entries\n")
