"""Units of systemd for long-running programs: their file access and their restarts. Pure.

A unit has its own digest in its first line, so that a person's change is noticed. Paths and arguments come from
settings, so each is quoted for its position: systemd.syntax(7), systemd.service(5).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from bus.errors import BusError

Scope = Literal["system", "user"]

FINAL_CODES = (2, 3, 5, 6)
"""Exit codes of faults that a person must mend: a wrong setting, a missing file, refused input, an invalid key or registry."""
QUEUED_CODE = 75
"""Exit code of an author's program that is stopped while bulletins wait on its disk; the next sender sends them."""
STOPPED_CODE = 130
"""Exit code of a program that is stopped before it has started."""
WATCHDOG_S = 60
START_S = 600  # seconds: a large store is checked, a broker makes a thousand streams
STOP_S = 30
AGAIN_S = 5
_PREFIX = "tocsin-"
_MARK = "# Written by tocsin service install; sha256 of what follows: "
_PLAIN = re.compile(r"[A-Za-z0-9_/.:@=+,-]+")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}")
_UNFIT = re.compile(r"[\x00-\x1f\x7f]|[\ud800-\udfff]")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (nothing is written there)
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


class UnitError(BusError):
    """Values that cannot form a unit, or a unit that is not ours to change."""

    reason = "unit-text"


class UnitSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One program as a unit.

    Attributes:
        name: the name of the unit, without `.service`.
        description: for people.
        command: the program and its arguments; the program is an absolute path.
        environment: variables that it needs.
        writes: folders that it may write into; all others are read-only.
        reads: paths that it must read; they decide whether home folders are open to it.
        credentials: secret files that systemd reads for it, by name.
        run_as: the user, in the system scope.
        scope: units of the machine, or of one user.
        netlink: whether it lists the interfaces of the machine, as a broker does.
        devices: whether it uses a token.
    """

    name: str
    description: str
    command: tuple[str, ...]
    writes: tuple[Path, ...]
    scope: Scope
    run_as: str | None = None
    environment: Mapping[str, str] = {}
    reads: tuple[Path, ...] = ()
    credentials: Mapping[str, Path] = {}
    netlink: bool = False
    devices: bool = False

    @property
    def named(self) -> tuple[Path, ...]:
        """Every path that it uses."""
        return (*self.writes, *self.reads, Path(self.command[0]))


def unit_name(program: str, context: str, label: str | None = None) -> str:
    """The name of a program's unit, without `.service`."""
    return "-".join((f"{_PREFIX}{program}", context, *([label] if label else ())))


def is_ours(file_name: str) -> bool:
    """Whether a file has a name of our units."""
    return file_name.startswith(_PREFIX) and file_name.endswith(".service")


def unit_text(spec: UnitSpec) -> str:
    """The unit's file.

    Raises:
        UnitError: a path or argument cannot be in a unit.
    """
    lines = [*_unit(spec), "", *_service(spec), *_walls(spec), "", *_install(spec)]
    body = "\n".join(lines) + "\n"
    return f"{_MARK}{_digest(body)}\n{body}"


def is_unchanged(text: str) -> bool:
    """Whether a unit's file is unchanged since it was written."""
    first, _, body = text.partition("\n")
    return first == f"{_MARK}{_digest(body)}"


def is_of(text: str, context: str) -> bool:
    """Whether a unit's file starts a program of a context.

    The file name does not show it: the name of a context with a label may equal the name of another context.
    """
    return f" --context {context} " in text.replace("\n", " ")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()


def _unit(spec: UnitSpec) -> Iterable[str]:
    yield "[Unit]"
    yield f"Description={_percent(spec.description)}"
    if spec.scope == "system":
        yield "Wants=network-online.target"
        yield "After=network-online.target time-sync.target"


def _service(spec: UnitSpec) -> Iterable[str]:
    yield "[Service]"
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"ExecStart={' '.join([_executable(spec.command[0]), *map(_argument, spec.command[1:])])}"
    yield from (f"Environment={_word(f'{name}={value}')}" for name, value in sorted(spec.environment.items()))
    if spec.run_as is not None and spec.scope == "system":
        yield f"User={_user(spec.run_as)}"
    yield f"WatchdogSec={WATCHDOG_S}"
    yield f"TimeoutStartSec={START_S}"
    yield f"TimeoutStopSec={STOP_S}"
    yield "KillMode=mixed"
    yield "Restart=on-failure"
    yield f"RestartSec={AGAIN_S}"
    yield f"RestartPreventExitStatus={' '.join(map(str, FINAL_CODES))}"
    yield f"SuccessExitStatus={QUEUED_CODE} {STOPPED_CODE}"
    yield from (f"LoadCredential={name}:{_bare(path)}" for name, path in sorted(spec.credentials.items()))


def _walls(spec: UnitSpec) -> Iterable[str]:
    in_home = any(map(_is_in_home, spec.named))
    families = "AF_UNIX AF_INET AF_INET6" + (" AF_NETLINK" if spec.netlink else "")
    yield "UMask=0077"
    yield "NoNewPrivileges=yes"
    if spec.scope == "user":
        yield "PrivateUsers=yes"  # without it a user's manager ignores the file restrictions
    yield "ProtectSystem=strict"
    yield f"ProtectHome={'read-only' if in_home else 'yes'}"
    yield from (f"ReadWritePaths={_word(str(path))}" for path in sorted(set(spec.writes)))
    yield "PrivateTmp=yes"
    yield f"RestrictAddressFamilies={families}"
    yield "RestrictNamespaces=yes"
    yield "RestrictRealtime=yes"
    yield "RestrictSUIDSGID=yes"
    yield "LockPersonality=yes"
    yield "SystemCallArchitectures=native"
    yield "SystemCallFilter=@system-service"
    yield "SystemCallErrorNumber=EPERM"
    if spec.scope == "user":
        return
    yield "CapabilityBoundingSet="
    yield "AmbientCapabilities="
    if not spec.devices:
        yield "PrivateDevices=yes"
        yield "DevicePolicy=closed"
    yield "ProtectClock=yes"
    yield "ProtectControlGroups=yes"
    yield "ProtectHostname=yes"
    yield "ProtectKernelLogs=yes"
    yield "ProtectKernelModules=yes"
    yield "ProtectKernelTunables=yes"
    yield "ProtectProc=invisible"
    yield "RemoveIPC=yes"


def _install(spec: UnitSpec) -> Iterable[str]:
    yield "[Install]"
    yield f"WantedBy={'multi-user.target' if spec.scope == 'system' else 'default.target'}"


def _is_in_home(path: Path) -> bool:
    return any(path.is_relative_to(home) for home in _HOMES)


def hidden(spec: UnitSpec) -> tuple[Path, ...]:
    """The paths that the program would not see: they are in a temporary folder, and a unit has its own one."""
    return tuple(
        path for path in dict.fromkeys(spec.named) if any(path.is_relative_to(place) for place in _TEMPORARY)
    )


# -- quoting ------------------------------------------------------------------------------------------------------


def _fit(text: str) -> str:
    if found := _UNFIT.search(text):
        raise UnitError(f"{text!r} has a character that no unit can hold ({found[0]!r}); choose another name")
    return text


def _percent(text: str) -> str:
    """Quote a text in which systemd expands specifiers."""
    return _fit(text).replace("%", "%%")


def _user(name: str) -> str:
    """The name or number of a user; systemd takes nothing else.

    Raises:
        UnitError: the text is neither.
    """
    if not _USER.fullmatch(name):
        raise UnitError(f"{name!r} is not the name of a user")
    return name


def _word(text: str) -> str:
    """Quote one word of a list."""
    safe = _percent(text)
    if _PLAIN.fullmatch(safe):
        return safe
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _executable(text: str) -> str:
    """Quote the path of the program itself, in which systemd expands no variables and allows no quotes.

    Raises:
        UnitError: the path has a quote or a backslash.
    """
    if found := re.search(r"[\"'\\]", text):
        raise UnitError(f"systemd starts no program whose path has a {found[0]}: {text}")
    return _word(text)


def _argument(text: str) -> str:
    """Quote one argument of a command line, in which systemd also expands variables."""
    return _word(text).replace("$", "$$") if text else '""'


def _bare(path: Path) -> str:
    """A path at the end of a line, without quotes.

    Raises:
        UnitError: the path begins or ends with white space, or ends with a backslash.
    """
    text = _percent(str(path))
    if text.strip() != text or text.endswith("\\"):
        raise UnitError(
            f"{str(path)!r} begins or ends with a character that no unit can hold; choose another name"
        )
    return text
