"""A home in which the programs of some identities run as processes, against a broker of its own world."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bus.keys import nkeys
from bus.keys.files import save_signer, write_secret
from bus.trust import ceremony
from tests.support.office import TOCSIN
from tests.support.waiting import longest
from tests.support.world import World, make_world

PASSPHRASE = b"correct horse"
SHIFTED = """
import datetime as dt, sys
from bus.cli.frame.app import App
from bus.cli.main import main
ahead = dt.timedelta(seconds=float(sys.argv.pop(1)))
App.now = lambda self: dt.datetime.now(dt.UTC) + ahead
main(sys.argv[1:])
"""
"""A tocsin whose clock is so many seconds ahead."""
NOBODY = "nats://127.0.0.1:9"


def world_of_now(*readers: str) -> World:
    """A world whose registry and keys hold now; offices among `readers` read, too."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1), *readers)


class Told(NamedTuple):
    """What a command wrote, and with which code it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output, decoded."""
        return json.loads(self.out)


class Household:
    """A home with a context for each of some identities. Programs begun in it are ended with `close`.

    Attributes:
        ahead_s: how far the clock of the machine is ahead, for all that is begun from now on.
    """

    ahead_s = 0.0

    def __init__(self, folder: Path, world: World, url: str, *identities: str, **settings: object) -> None:
        """Write the home.

        Args:
            folder: where.
            world: whose registry and keys.
            url: where all of them look for the bus.
            identities: who has a context.
            settings: more of each context.
        """
        self.folder, self.world = folder, world
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "registry.tocsin.json").write_bytes(world.raw)
        self.beacon(dt.timedelta(hours=6))
        self._programs: list[subprocess.Popen[bytes]] = []
        lines = []
        for name in identities:
            context: dict[str, object] = {
                "authority": name,
                "domain": world.registry.domain,
                "pin": world.pin,
                "registry": "registry.tocsin.json",
                "beacon": "beacon.tocsin.json",
                "state": f"state/{name}",
                "server": url,
                "nkey": f"{name}.nk",
                "heartbeat_none_s": 10,
                **settings,
            }
            nkeys.save_nkey(self.home / f"{name}.nk", world.nkeys[name][0])
            if name in world.signers:
                write_secret(self.home / f"{name}.pass", PASSPHRASE)
                save_signer(self.home / f"{name}.pem", world.signers[name], PASSPHRASE)
                context |= {"key": f"{name}.pem", "passphrase_file": f"{name}.pass"}
            lines.append(f"[contexts.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in context.items()]
        (self.home / "config.toml").write_text("\n".join(lines))

    def beacon(self, lifetime: dt.timedelta, issued: dt.datetime | None = None) -> None:
        """Put another beacon in the place of the one there is."""
        moment = issued or self.world.now
        raw = ceremony.new_beacon(self.world.registry, self.world.beacon, moment, lifetime)
        (self.home / "beacon.tocsin.json").write_bytes(raw)

    def state(self, identity: str) -> Path:
        """Where the files of an identity lie."""
        return self.home / "state" / identity

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the programs."""
        return {**os.environ, "TOCSIN_HOME": str(self.home), "NO_COLOR": "1", **(more or {})}

    def told(self, identity: str, *arguments: str, env: Mapping[str, str] | None = None) -> Told:
        """One command to its end."""
        done = subprocess.run(
            self._command(identity, arguments),
            cwd=self.folder,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=longest(),
        )
        return Told(done.returncode, done.stdout, done.stderr)

    def start(
        self, identity: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Begin a program; what it writes goes to `log(identity)`."""
        with self.log(identity).open("ab") as to:
            process = subprocess.Popen(
                self._command(identity, arguments),
                cwd=self.folder,
                env=self.env(env),
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=to,
            )
        self._programs.append(process)
        return process

    def _command(self, identity: str, arguments: Sequence[str]) -> list[str]:
        begin = [sys.executable, "-c", SHIFTED, str(self.ahead_s)] if self.ahead_s else [TOCSIN]
        return [*begin, "--context", identity, *arguments]

    def log(self, identity: str) -> Path:
        """What the programs of an identity have written."""
        return self.folder / f"{identity}.log"

    def close(self) -> None:
        """End what still runs."""
        for process in self._programs:
            if process.poll() is None:
                process.kill()
            process.wait(longest())
