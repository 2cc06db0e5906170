"""One nats-server process: started with a configuration, reloaded, stopped by its own id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Self

from bus.logs import logger
from bus.server.accounts import accounts_in
from bus.server.binary import ServerError, check_version, config_digest, find_binary
from bus.server.findings import SOUND
from bus.server.monitor import read_monitor
from bus.server.server_log import ServerLog
from bus.server.standing import CONF_FILE, Standing, take_server_lock
from bus.storage import write_atomically
from bus.tasks import LAST_ACTS

START_S = 60.0  # with a thousand streams, on a busy machine
STOP_S, DEAF_STOP_S = 10.0, 1.0  # of a server that answers, and of one that does not answer
RELOAD_S = 20.0
_POLL_S = 0.01
_LOOK_S = 0.05

log = logger()


class NatsServer:
    """A broker with its store in a folder; an async context manager.

    The same folder can be started again later: the streams are still there.

    Attributes:
        trouble: the last fault found by `bus.server.tend`.
    """

    def __init__(self, folder: Path, conf: str, *, binary: Path | None = None) -> None:
        """Prepare a server without starting it.

        Args:
            folder: for configuration, store and log.
            conf: the configuration.
            binary: the nats-server; None to find one.
        """
        self.folder = folder
        self.conf = conf
        self.binary = find_binary(binary, os.environ).absolute()  # it is started from within the folder
        self._said = ServerLog(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._standing: Standing | None = None
        self.trouble = SOUND
        self._ports: dict[str, list[str]] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address for clients."""
        return self._ports["nats"][0]

    @property
    def monitor_url(self) -> str:
        """The address of the monitoring endpoints."""
        return self._ports["monitoring"][0]

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self._said.log_file

    @property
    def store(self) -> Path:
        """The folder of its streams, which need not exist yet."""
        found = re.search(r'^  store_dir: ("(?:[^"\\]|\\.)*")$', self.conf, re.MULTILINE)
        return self.folder / (json.loads(found[1]) if found else ".")

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise ServerError("the server is not running", reason="not-running")
        return self._process.pid

    def must_run(self) -> None:
        """Raise an error if the server has ended by itself.

        Raises:
            ServerError: `not-running`, with its last words.
        """
        if not self._is_alive():
            raise ServerError(f"nats-server has ended: {self._how_it_ended()}", reason="not-running")

    async def start(self) -> None:
        """Start and wait until JetStream is healthy.

        A server left in this folder by a killed program is ended first (ADR-028).

        Raises:
            ServerError: `server-too-old`, `no-server`, `server-running` if a living program runs a server in this
                folder, `port-taken`, or `server-start` with the server's last words.
        """
        await asyncio.to_thread(check_version, self.binary)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._standing = await Standing.take(self.folder)
        try:
            await self._begin()
            async with asyncio.timeout(START_S):
                await self._until_healthy()
        except TimeoutError:
            self.kill()
            raise ServerError(
                f"nats-server is not healthy after {START_S:.0f} s: {self._said.last_words()}",
                reason="server-start",
            ) from None
        except BaseException:
            self.kill()
            raise
        log.info("server_started", url=self.url, pid=self.pid)

    async def _begin(self) -> None:
        lock = await take_server_lock(self.folder)
        try:
            for stale in self.folder.glob("*.ports"):
                stale.unlink()  # port files of killed servers: none runs here now
            write_atomically(self._conf_file, self.conf.encode())
            self._said.begin()
            self._process = self._spawn(lock)
            LAST_ACTS.add(self.kill)
        finally:
            os.close(lock)  # the child holds it now, and releases it when it ends

    def look(self) -> None:
        """Leave a sign for `server check` that this program is awake and manages its server.

        Raises:
            ServerError: `not-running`, with its last words, if the server has ended by itself.
        """
        self.must_run()
        if self._standing is not None:
            self._standing.look()

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        with self._said.opened() as out:
            return subprocess.Popen(
                [self.binary, "-c", self._conf_file.name],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                pass_fds=(lock,),
                umask=0o077,
                # A Ctrl-C in the terminal is for us; the server is stopped in its turn.
                start_new_session=True,
            )

    async def _until_healthy(self) -> None:
        while not await asyncio.to_thread(self._healthy, self.pid):
            if not self._is_alive():
                said = self._said.last_words()
                if "address already in use" in said:
                    raise ServerError(
                        "the port is taken by another program",
                        remedy=f"choose another --port ({said})",
                        reason="port-taken",
                    )
                raise ServerError(f"nats-server did not start: {said}", reason="server-start")
            await asyncio.sleep(_POLL_S)

    async def reload(self, conf: str) -> None:
        """Load another configuration while running: removed users are disconnected, others keep their connection.

        The server's monitoring shows whether it was loaded. The log does not count, because strangers write into it.

        Raises:
            ServerError: `server-reload`, with the server's last words; it keeps its old configuration.
        """
        # A listening port cannot change while running; a free port (-1) stays the one that it got.
        held = self._conf_file.read_bytes()
        write_atomically(self._conf_file, conf.encode())
        # An account added by a reload gets its imports only at the next reload (nats-server 2.15, see its #8560); until
        # then its identity is deaf and mute.
        is_new = bool(accounts_in(conf) - accounts_in(held.decode("utf-8")))
        try:
            wanted = await asyncio.to_thread(config_digest, self.binary, self._conf_file)
            for _ in range(1 + is_new):
                before = (await asyncio.to_thread(self.monitor, "varz")).get("config_load_time")
                self._said.begin()
                os.kill(self.pid, signal.SIGHUP)
                async with asyncio.timeout(RELOAD_S):
                    await self._until_reloaded(wanted, before)
        except TimeoutError:
            write_atomically(self._conf_file, held)
            raise ServerError(
                f"nats-server did not apply the configuration: {self._said.last_words()}",
                reason="server-reload",
            ) from None
        except ServerError as exc:
            write_atomically(self._conf_file, held)
            if exc.reason != "bad-conf":
                raise
            raise ServerError(
                f"nats-server refuses the configuration: {exc}", reason="server-reload"
            ) from None
        except BaseException:  # also on cancel: the file must be the configuration that it runs with
            write_atomically(self._conf_file, held)
            raise
        self.conf = conf

    async def _until_reloaded(self, digest: str, before: object) -> None:
        while True:
            with contextlib.suppress(ServerError):  # it may not answer while it reloads
                varz = await asyncio.to_thread(self.monitor, "varz")
                if varz.get("config_load_time") != before and varz.get("config_digest") == digest:
                    return
            self.must_run()
            await asyncio.sleep(_LOOK_S)

    def kill(self) -> None:
        """Send SIGKILL, which is like a power cut for the process."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        LAST_ACTS.discard(self.kill)
        self._step_back()

    async def stop(self) -> None:
        """End the process, gently at first; at once if this is cancelled."""
        process = self._process
        try:
            if process is not None and process.poll() is None:
                await self._end(process)
        finally:
            self.kill()
            self._process = None

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        answers = await asyncio.to_thread(self._answers)
        process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S if answers else DEAF_STOP_S):
                while process.poll() is None:  # noqa: ASYNC110 (a process is asked, which has no event)
                    await asyncio.sleep(_POLL_S)
        self.kill()
        log.info("server_stopped", pid=process.pid)

    def _answers(self) -> bool:
        try:
            return bool(self.monitor("varz"))
        except (ServerError, KeyError):
            return False

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _how_it_ended(self) -> str:
        """The signal, or the exit code and last words. A killed server logs nothing about its own end."""
        code = None if self._process is None else self._process.poll()
        if code is not None and code < 0:
            return (
                f"it was killed by {signal.Signals(-code).name}, by hand or by the system for want of memory"
            )
        return f"exit code {code}, {self._said.last_words()}"

    def _step_back(self) -> None:
        standing, self._standing = self._standing, None
        if standing is not None:
            standing.give_up()

    def pinned(self) -> str:
        """The configuration with the ports that the server got, so that a restart has the same address."""
        conf = self.conf
        for setting, url in (("listen", self.url), ("http", self.monitor_url)):
            conf = re.sub(
                rf'^({setting}: .*):-?\d+"$', rf'\1:{url.rsplit(":", 1)[1]}"', conf, flags=re.MULTILINE
            )
        return conf

    async def restart(self) -> None:
        """Start again at the same address with the same store, after `kill` or `stop`."""
        self.conf = self.pinned()
        await self.start()

    def monitor(self, path: str) -> dict[str, Any]:
        """A monitoring document, such as `varz` or `jsz`.

        Raises:
            ServerError: `no-monitor`.
        """
        return read_monitor(self.monitor_url, path)

    @property
    def _conf_file(self) -> Path:
        return self.folder / CONF_FILE

    def _healthy(self, pid: int) -> bool:
        ports = self.folder / f"{self.binary.name}_{pid}.ports"
        try:
            self._ports = json.loads(ports.read_bytes())
            return bool(self.monitor("healthz?js-enabled-only=true").get("status") == "ok")
        except (OSError, ValueError, ServerError):
            return False
