"""One nats-server process: started with a configuration, reloaded, stopped by its own id."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from bus.config import write_atomically
from bus.server.binary import ServerError, check_version, find_binary

START_S = 15.0
STOP_S = 10.0
_POLL_S = 0.01

log = structlog.get_logger()


class NatsServer:
    """A broker with its store in a folder; an async context manager.

    The same folder can be started again later: the streams are still there.
    """

    def __init__(self, folder: Path, conf: str, *, binary: Path | None = None) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: for configuration, store and log.
            conf: the configuration.
            binary: the nats-server; found when it is None.
        """
        self.folder = folder
        self.conf = conf
        self.binary = find_binary(binary, os.environ)
        self.log_file = folder / "nats-server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, list[str]] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._ports["nats"][0]

    @property
    def monitor_url(self) -> str:
        """Where the monitoring endpoints answer."""
        return self._ports["monitoring"][0]

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise ServerError("the server is not running", reason="not-running")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until JetStream is healthy.

        Raises:
            ServerError: `server-too-old`, `no-server`, or `server-start` with what the server said.
        """
        await asyncio.to_thread(check_version, self.binary)
        self._write()
        with self.log_file.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (starting is quick, and its pid is needed at once)
                [self.binary, "-c", self._conf_file.name],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                # A Ctrl-C in the terminal is for us; the server is stopped in its turn.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_S):
                while not await asyncio.to_thread(self._healthy):
                    if self._process.poll() is not None:
                        raise ServerError(
                            f"nats-server did not start: {self._last_words()}", reason="server-start"
                        )
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            await self.stop()
            raise ServerError(
                f"nats-server is not healthy after {START_S:.0f} s: {self._last_words()}",
                reason="server-start",
            ) from None
        log.info("server_started", url=self.url, pid=self._process.pid)

    async def reload(self, conf: str) -> None:
        """Take another configuration while running: cut users are disconnected, others keep their connection.

        Raises:
            ServerError: `server-reload`, with what the server said; it keeps its old configuration.
        """
        # A listening port cannot change while running; a free one (-1) stays the one it got.
        self.conf = conf
        self._write()
        before = self._log_size()
        os.kill(self.pid, signal.SIGHUP)
        try:
            async with asyncio.timeout(START_S):
                while True:
                    said = self._log_since(before)
                    if "Reloaded server configuration" in said:
                        return
                    if "Failed to reload" in said:
                        raise ServerError(
                            f"nats-server refused the configuration: {self._last_words()}",
                            reason="server-reload",
                        )
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ServerError("nats-server did not answer the reload", reason="server-reload") from None

    def kill(self) -> None:
        """SIGKILL: what a power cut of the process is like."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def stop(self) -> None:
        """End the process, gently at first."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        log.info("server_stopped", pid=process.pid)

    def pinned(self) -> str:
        """The configuration with the ports the server got, so that a restart is found at the same place."""
        nats_port = self.url.rsplit(":", 1)[1]
        monitor_port = self.monitor_url.rsplit(":", 1)[1]
        lines = []
        for line in self.conf.splitlines():
            if line.startswith("listen:"):
                line = f'{line.rsplit(":", 1)[0]}:{nats_port}"'  # noqa: PLW2901 (one line of two is rewritten)
            elif line.startswith("http:"):
                line = f'{line.rsplit(":", 1)[0]}:{monitor_port}"'  # noqa: PLW2901
            lines.append(line)
        return "\n".join(lines) + "\n"

    async def restart(self) -> None:
        """Start again at the same place with the same store, after `kill` or `stop`."""
        self.conf = self.pinned()
        await self.start()

    def monitor(self, path: str) -> dict[str, Any]:
        """A monitoring document, such as `varz` or `jsz`."""
        # The address is the server's own loopback port, read from its ports file.
        with urllib.request.urlopen(f"{self.monitor_url}/{path}", timeout=3) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
        return found

    @property
    def _conf_file(self) -> Path:
        return self.folder / "nats-server.conf"

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._conf_file, self.conf.encode())

    def _healthy(self) -> bool:
        if self._process is None:
            return False
        ports = self.folder / f"{self.binary.name}_{self._process.pid}.ports"
        try:
            self._ports = json.loads(ports.read_bytes())
            return bool(self.monitor("healthz?js-enabled-only=true").get("status") == "ok")
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def _log_size(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def _log_since(self, place: int) -> str:
        with self.log_file.open("rb") as file:
            file.seek(place)
            return file.read().decode("utf-8", "replace")

    def _last_words(self) -> str:
        lines = self._log_since(max(0, self._log_size() - 8192)).splitlines()
        grave = [line.split("] ", 1)[-1] for line in lines if "[ERR]" in line or "[FTL]" in line]
        return "; ".join((grave or lines)[-3:]) or "it said nothing"
