"""The console as a child process of a hub: started, told its settings, started anew when it dies, ended with the hub.

The child gets no key and no passphrase: neither in its settings nor in its environment. It reads its settings from standard input,
and ends when that ends, so it never outlives the hub, however that went. What must be signed is for the hub to sign (ADR-054).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from bus.console.asking import serve
from bus.console.public import Public
from bus.errors import ConfigError
from bus.hub.acting import Outcome, Request
from bus.logs import logger
from bus.policy import Backoff
from bus.tasks import in_background

PACKAGES = ("starlette", "uvicorn", "jinja2", "python_multipart")
DEFAULT = "127.0.0.1:8765"
OFF = "off"
STOP_S = 5.0
MOST_WAIT_S = 30.0
MOST_LINE = 64 * 1024
_GIVEN = frozenset(
    {
        "PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TZDIR", "TMPDIR", "VIRTUAL_ENV",
        "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE",
    }
)  # fmt: skip
_BEGINNINGS = ("LC_", "COVERAGE_")

log = logger()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a console is told: where it listens, and what it reads. No key is among it.

    Attributes:
        host: an address of this machine that no other reaches.
        port: the port; 0 for any free one.
        else_any: whether any free port will do where that one is taken.
        authority: the hub's.
        store: the hub's store.
        desk: the file of the people.
        registry: the pinned registry.
        pin: the digest of it.
        domain: the domain of it.
        beacon: where beacons lie.
        contacts: the list of contacts; None where there is none.
        demonstration: whether anybody who gives a name is let in.
        hub: the number of the file over which the hub is asked; -1 where it does nothing.
        public: where visitors find it, through a proxy with TLS on this machine; None where there is no proxy.
        oidc: the settings of the single sign-on; None where there is none.
    """

    host: str
    port: int
    else_any: bool
    authority: str
    store: Path
    desk: Path
    registry: Path
    pin: str
    domain: str
    beacon: Path | None = None
    contacts: Path | None = None
    demonstration: bool = False
    hub: int = -1
    public: Public | None = None
    oidc: Path | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line from the child: where it listens, or why it cannot; `setup` is the file with the first person's address.

    `note` is a sentence about what does not work while the rest does.
    """

    address: str = ""
    note: str = ""
    setup: str = ""
    problem: str = ""


def encoded(place: Place) -> bytes:
    """Settings as the child reads them."""
    return msgspec.json.encode(place, enc_hook=str)


def decoded(line: bytes) -> Place:
    """Settings as the hub has written them.

    Raises:
        msgspec.ValidationError: they are not.
    """
    return msgspec.json.decode(line, type=Place, dec_hook=lambda kind, value: kind(value))


def address_of(text: str) -> tuple[str, int] | None:
    """Host and port from an option; None for `off`.

    Raises:
        ConfigError: `console-address`; it is no address of this machine alone.
    """
    if text == OFF:
        return None
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65_535 or bare not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f"the console cannot listen at {text!r}: it is meant for this machine alone",
            remedy="say 127.0.0.1:PORT, or off; for others, put a proxy with TLS on this machine before it",
            reason="console-address",
        )
    return ("127.0.0.1" if bare == "localhost" else bare), int(port)


def missing_packages() -> tuple[str, ...]:
    """What of the extra `hub` is not installed."""
    return tuple(name for name in PACKAGES if importlib.util.find_spec(name) is None)


class Child:
    """The console's process."""

    def __init__(
        self,
        place: Place,
        say: Callable[[str], None],
        do: Callable[[Request], Awaitable[Outcome]],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            place: its settings.
            say: tells the operator of the hub, in one line.
            do: does what people there ask for, with the hub's key.
            environment: of the hub; what may be secret is taken out of it.
        """
        self._place, self._say, self._do = place, say, do
        self._environment = without_secrets(os.environ if environment is None else environment)
        self._process: Process | None = None
        self.address = ""
        """Where it answers; empty while it does not."""
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        """Keep it running until cancelled; then end it. What goes wrong with it never ends the hub."""
        if lacking := missing_packages():
            self._say(
                f"no console: {', '.join(lacking)} is not installed (pip install 'tocsin[hub]'); the hub runs on without it"
            )
            return
        backoff = Backoff(wait=1.0, most=MOST_WAIT_S)
        loop = asyncio.get_running_loop()
        said = ""
        while True:
            began = loop.time()
            try:
                problem = await self._once()
            except OSError as exc:
                problem = str(exc)
            finally:
                self.address = ""
            if problem != said:
                self._say(f"the console has ended ({problem}); it is started again, and the hub runs on")
                said = problem
            if loop.time() - began > MOST_WAIT_S:
                backoff.reset()
            backoff.fail(loop.time())
            await asyncio.sleep(max(0.0, backoff.until - loop.time()))

    async def _once(self) -> str:
        """Start it, and wait until it has ended. Returns why."""
        self.starts += 1
        ours, theirs = socket.socketpair()
        with ours, theirs:
            # -P: nothing is imported from the folder in which the hub was started.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "bus.console", stdin=PIPE, stdout=PIPE, env=self._environment,
                start_new_session=True, limit=MOST_LINE, pass_fds=(theirs.fileno(),),
            )  # fmt: skip
            place = msgspec.structs.replace(self._place, hub=theirs.fileno())
            theirs.close()
            async with in_background(self._asked(ours, process), "what the console asks"):
                return await self._told(process, place)

    async def _asked(self, end: socket.socket, process: Process) -> None:
        """Do what it asks for; with its line, it ends itself: without one it could do nothing for people."""
        await serve(end, self._do)
        await self._end(process)

    async def _told(self, process: Process, place: Place) -> str:
        """Tell it its settings, and hear it until it has ended. Returns why."""
        self._process = process
        problem = ""
        try:
            assert process.stdin is not None  # noqa: S101 (given above)
            assert process.stdout is not None  # noqa: S101 (given above)
            process.stdin.write(encoded(place) + b"\n")
            with contextlib.suppress(ConnectionError):
                await process.stdin.drain()
            try:
                async for line in process.stdout:
                    problem = self._heard(line) or problem
            except ValueError:  # no line is so long
                process.kill()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_S):
                        while await process.stdout.read(MOST_LINE):
                            pass
                return "it has said what no console says"
            code = await process.wait()
            return problem or f"exit code {code}"
        finally:
            await asyncio.shield(self._end(process))
            self._process = None

    def _heard(self, line: bytes) -> str:
        try:
            told = msgspec.json.decode(line, type=Told)
            port = self._port(told.address) if told.address else 0
        except (
            ValueError,
            msgspec.DecodeError,
            RecursionError,
        ):  # a process that was taken over may say anything
            log.warning("console_said", line=line[:200].decode(errors="replace"))
            return ""
        if told.address:
            self.address = told.address
            self._place = msgspec.structs.replace(
                self._place, port=port
            )  # links hold when it is started again
            through = (
                ""
                if self._place.public is None
                else f"{self._place.public.address}, through a proxy that asks "
            )
            self._say(f"console: {through}{told.address}")
        if told.note:
            self._say(_plain(told.note))
        if told.setup:
            file = _plain(told.setup)
            self._say(f"nobody may sign in there yet; the address to set the first password stands in {file}")
        return _plain(told.problem)

    def _port(self, address: str) -> int:
        """The port at which it says that it listens. Raises ValueError for another host than it was told."""
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        found = re.fullmatch(r"http://(.+):([0-9]{1,5})/", address)
        if found is None or found[1] != host:
            raise ValueError(address)
        return int(found[2])

    @staticmethod
    async def _end(process: Process) -> None:
        """End it: first by the end of its input, then by force."""
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is not None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _plain(words: str) -> str:
    """What it says, on one line that steers no terminal."""
    return "".join(each if each.isprintable() else "?" for each in words[:500])


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the environment what a console needs, and nothing else: any other name may hold a secret, or lead to one."""
    return {
        name: value for name, value in environment.items() if name in _GIVEN or name.startswith(_BEGINNINGS)
    }
