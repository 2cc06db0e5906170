"""Programs as processes: the home that they run in, and what they write to."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from bus.keys import nkeys
from bus.keys.files import save_signer, write_secret
from tests.support.office import TOCSIN
from tests.support.waiting import eventually_sync, longest
from tests.support.world import World, make_world

PASSPHRASE = b"correct horse"
NOBODY = "nats://127.0.0.1:9"
PIPE_BYTES = 4096


@cache
def world_of_today() -> World:
    """A world whose keys and registry hold now, for programs that look at the clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1))


class Premises:
    """A home with a context for each of some identities, and the programs that run in it."""

    def __init__(self, folder: Path, *identities: str, url: str = NOBODY) -> None:
        """Write the home; `url` is where all of them look for the bus."""
        self.folder = folder
        self.world = world = world_of_today()
        self.home = home = folder / "home"
        home.mkdir(parents=True)
        (home / "registry.tocsin.json").write_bytes(world.raw)
        contexts = {}
        for name in identities:
            contexts[name] = {
                "authority": name, "domain": world.registry.domain, "pin": world.pin, "registry": "registry.tocsin.json",
                "state": f"state/{name}", "server": url, "nkey": f"{name}.nk", "heartbeat_none_s": 10,
            }  # fmt: skip
            nkeys.save_nkey(home / f"{name}.nk", world.nkeys[name][0])
            if name in world.signers:
                write_secret(home / f"{name}.pass", PASSPHRASE)
                save_signer(home / f"{name}.pem", world.signers[name], PASSPHRASE)
                contexts[name] |= {"key": f"{name}.pem", "passphrase_file": f"{name}.pass"}
        lines = []
        for name, settings in contexts.items():
            lines += [
                f"[contexts.{name}]",
                *(f"{key} = {json.dumps(value)}" for key, value in settings.items()),
            ]
        (home / "config.toml").write_text("\n".join(lines))

    def state(self, identity: str) -> Path:
        """Where the files of an identity lie."""
        return self.home / "state" / identity

    @property
    def env(self) -> dict[str, str]:
        """The environment of the programs."""
        return {**os.environ, "TOCSIN_HOME": str(self.home), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}

    @contextlib.contextmanager
    def running(
        self,
        identity: str,
        *arguments: str,
        out: int | IO[bytes] | None = None,
        err: int | IO[bytes] | None = None,
        limits: Sequence[tuple[int, int]] = (),
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program; one that still runs at the end is killed. Output goes to `IDENTITY.log` unless said otherwise."""
        log = self.log(identity)

        def limit() -> None:
            for what, most in limits:
                resource.setrlimit(what, (most, most))

        with log.open("ab") as to:
            process = subprocess.Popen(
                [TOCSIN, "--context", identity, *arguments],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=to if out is None else out,
                stderr=to if err is None else err,
                preexec_fn=limit if limits else None,  # noqa: PLW1509 (it calls setrlimit and no more)
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self, identity: str) -> Path:
        """What the program of an identity has written."""
        return self.folder / f"{identity}.log"

    def says(self, identity: str, text: str, process: subprocess.Popen[bytes]) -> None:
        """Wait until a program has written something; it must live until then."""

        def is_said() -> bool:
            if text in self.log(identity).read_text("utf-8", "replace"):
                return True
            assert process.poll() is None, self.log(identity).read_text()
            return False

        eventually_sync(is_said, describe=lambda: self.log(identity).read_text())


def ends(process: subprocess.Popen[bytes], signum: int = signal.SIGTERM) -> tuple[int, float]:
    """Send a signal. Returns the exit code, and the seconds that it took."""
    began = time.monotonic()
    process.send_signal(signum)
    code = process.wait(longest())
    return code, time.monotonic() - began


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes nothing more until it is read: where to read, where to write."""
    there, here = os.pipe()
    try:
        import fcntl

        fcntl.fcntl(here, 1031, PIPE_BYTES)  # F_SETPIPE_SZ
        os.set_blocking(here, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(here, b"." * PIPE_BYTES)
        os.set_blocking(here, True)
        yield there, here
    finally:
        for each in (there, here):
            with contextlib.suppress(OSError):
                os.close(each)


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Where connections are taken and nothing is ever answered; its address."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"nats://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Another program writes to a store, and does not end."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def stays(process: subprocess.Popen[bytes], condition: Callable[[], object]) -> None:
    """Wait for something while a program lives."""

    def holds() -> bool:
        assert process.poll() is None, process.returncode
        return bool(condition())

    eventually_sync(holds)
