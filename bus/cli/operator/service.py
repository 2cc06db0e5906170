"""`tocsin service`: systemd units for the programs that run all the time."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bus import keys as keyring
from bus import upkeep
from bus.cli.frame import FOLDER, Answer, App, Group, NotFoundError, Table, command, write_whole
from bus.config import load
from bus.errors import ConfigError

if TYPE_CHECKING:
    from bus.config import Context
    from bus.upkeep import Scope

SYSTEM_UNITS = Path("/etc/systemd/system")
PROGRAMS: dict[str, tuple[tuple[str, ...], str]] = {
    "server": (("server", "run"), "the broker of {}"),
    "hub": (("hub", "run"), "the hub {}"),
    "notify": (("notify", "run"), "the notifications of {}"),
    "adapter": (("adapter", "run"), "the adapter of {}"),
    "heartbeat": (("heartbeat", "run"), "the heartbeats of {}"),
    "keeper": (("registry", "keep"), "the keeper of the registry ({})"),
}
_SIGNS = ("hub", "adapter", "heartbeat")  # with the key of its context


@click.group(cls=Group)
def service() -> None:
    """Systemd units, with sandboxing and a watchdog, for the programs that run all the time."""


_dir = click.option("--dir", "folder", type=FOLDER, help="folder of the units, instead of systemd's own")
_scope = click.option(
    "--system/--user",
    "is_system",
    default=None,
    help="for the machine, or for your user  [default: system as root, else user]",
)


@command(service, "install")
@click.argument("program", type=click.Choice(list(PROGRAMS)))
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENT...]")
@_scope
@_dir
@click.option("--run-as", metavar="USER", help="the user, in the system scope  [default: you]")
@click.option("--name", "label", help="name of this unit, if a program and context have several")
@click.option("--print", "is_printed", is_flag=True, help="print the unit and write nothing")
@click.option("--force", is_flag=True, help="overwrite a unit that was changed by hand")
def install(
    app: App,
    program: str,
    arguments: tuple[str, ...],
    *,
    is_system: bool | None,
    folder: Path | None,
    run_as: str | None,
    label: str | None,
    is_printed: bool,
    force: bool,
) -> Answer:
    """Write a unit that runs PROGRAM as the chosen context. ARGUMENTs are those of the program's own command.

    For example: tocsin service install adapter -- cyber --spool /srv/spool. The unit is not started; the commands
    that start it are printed. In the system scope systemd passes passphrases on, so only root must be able to read
    their files.
    """
    system = os.geteuid() == 0 if is_system is None else is_system
    if label is not None and not (label.isascii() and label.replace("-", "").replace("_", "").isalnum()):
        raise click.UsageError(f"{label!r} cannot name a unit: letters, digits, hyphens")
    name = upkeep.unit_name(program, app.context()[0], label)
    spec = _spec(app, program, arguments, name, "system" if system else "user", run_as)
    text = upkeep.unit_text(spec)
    if is_printed:
        return Answer({"unit": f"{name}.service", "text": text}, lines=text.rstrip("\n").split("\n"))
    place = folder or _folder(system)
    path = place / f"{name}.service"
    _must_be_ours(path, force=force, context=app.context()[0])
    place.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    systemctl = "systemctl" if system else "systemctl --user"
    return Answer(
        {"file": str(path), "unit": f"{name}.service", "writes": [str(each) for each in spec.writes]},
        notes=[
            f"{path} written",
            f"start it, now and at every boot: {systemctl} daemon-reload && {systemctl} enable --now {name}",
            *(f"make this folder first: {each}" for each in spec.writes if not each.is_dir()),
            *(
                f"move {each} out of the temporary folder, which a unit does not see"
                for each in upkeep.hidden(spec)
            ),
        ],
    )


@command(service, "list")
@_scope
@_dir
def list_(_app: App, *, is_system: bool | None, folder: Path | None) -> Answer:
    """List the units of tocsin, and show which were changed by hand."""
    found = [
        {"unit": path.name, "file": str(path), "changed": not _is_as_written(path)}
        for path in _units(is_system, folder)
    ]
    rows = [(each["unit"], "changed by hand" if each["changed"] else "as written") for each in found]
    return Answer(
        found, table=Table(("unit", "state"), rows), notes=[] if found else ["there is no unit of tocsin"]
    )


@command(service, "remove")
@click.argument("unit")
@_scope
@_dir
@click.option("--force", is_flag=True, help="also a unit that was changed by hand")
def remove(_app: App, unit: str, *, is_system: bool | None, folder: Path | None, force: bool) -> Answer:
    """Delete the file of UNIT, named as in `service list`. End the program first."""
    wanted = unit if unit.endswith(".service") else f"{unit}.service"
    path = next((each for each in _units(is_system, folder) if each.name == wanted), None)
    if path is None:
        raise NotFoundError(f"there is no unit {wanted}", remedy="list the units: tocsin service list")
    _must_be_ours(path, force=force)
    path.unlink()
    return Answer({"removed": str(path)}, notes=[f"{path} is gone; now: systemctl daemon-reload"])


def _folder(system: bool) -> Path:
    if system:
        return SYSTEM_UNITS
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def _units(is_system: bool | None, folder: Path | None) -> Iterator[Path]:
    place = folder or _folder(os.geteuid() == 0 if is_system is None else is_system)
    return (path for path in sorted(place.glob("*.service")) if upkeep.is_ours(path.name))


def _is_as_written(path: Path) -> bool:
    return upkeep.is_unchanged(path.read_text("utf-8", "surrogateescape"))


def _must_be_ours(path: Path, *, force: bool, context: str | None = None) -> None:
    """Refuse to overwrite or delete a unit that a person has changed, or to overwrite the unit of another context.

    Raises:
        UnitError: `unit-changed`.
    """
    if force or not path.exists():
        return
    told, remedy = "", ""
    if not _is_as_written(path):
        told = "was changed since it was written"
        remedy = "keep your changes in a drop-in (systemctl edit), then use --force"
    elif context is not None and not upkeep.is_of(path.read_text("utf-8", "surrogateescape"), context):
        told, remedy = "is the unit of another context", "give this one another --name"
    if told:
        raise upkeep.UnitError(f"{path} {told}", remedy=remedy, reason="unit-changed")


def _spec(
    app: App, program: str, arguments: Sequence[str], name: str, scope: Scope, run_as: str | None
) -> upkeep.UnitSpec:
    context_name, context = app.context()
    _must_be_everywhere(context_name, context)
    words, about = PROGRAMS[program]
    given = _parsed(words, arguments)
    user = run_as or getpass.getuser()
    if scope == "system" and user == "root":
        raise click.UsageError("no user is named: add --run-as USER, the owner of the state folder")
    state = app.state_folder().absolute()
    places = [state, context.registry.parent, *([context.beacon.parent] if context.beacon else [])]
    places += [path for param, path in given.paths if param.type is FOLDER]
    secrets = [path for param, path in given.paths if param.name == "passphrase_file"]
    if context.passphrase_file is not None and program in _SIGNS:
        secrets.append(context.passphrase_file)
    if program == "keeper" and not secrets:
        raise click.UsageError("a service cannot ask for a passphrase: add --passphrase-file FILE")
    environment = {"TOCSIN_HOME": str(app.loaded.home)}
    if context.state is None:
        environment["XDG_STATE_HOME"] = str(state.parent.parent)
    if binary := os.environ.get("TOCSIN_NATS_SERVER"):
        environment["TOCSIN_NATS_SERVER"] = binary
    keys = (context.key, *(path for param, path in given.paths if param.name == "key_file"))
    python = (Path(sys.prefix), Path(sys.executable).resolve())  # often in a person's home
    return upkeep.UnitSpec(
        name=name,
        description=f"tocsin: {about.format(context.authority)}",
        command=(*_program(), *words, "--context", context_name, *given.words),
        environment=environment,
        writes=tuple(dict.fromkeys(path.absolute() for path in places)),
        reads=(app.loaded.home, *(path for _, path in given.paths), *_named(context), *python),
        credentials=_credentials(secrets) if scope == "system" else {},
        run_as=user if scope == "system" else None,
        scope=scope,
        netlink=program == "server",
        devices=any(key is not None and keyring.is_token(key) for key in keys),
    )


def _must_be_everywhere(name: str, context: Context) -> None:
    """Refuse a context that is only in ./tocsin.toml: a unit does not run in this folder.

    Raises:
        ConfigError: `context-here`.
    """
    if load(os.environ, Path("/")).settings.contexts.get(name) != context:
        raise ConfigError(
            f"the context {name} is set in {Path.cwd() / 'tocsin.toml'}, which a service does not read",
            remedy="put it into your own settings: tocsin context add",
            reason="context-here",
        )


class _Given:
    """The arguments of a program's command: the words, with absolute paths; and the paths among them."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.paths: list[tuple[click.Parameter, Path]] = []


def _parsed(words: Sequence[str], arguments: Sequence[str]) -> _Given:
    """The arguments, checked by the command itself.

    Raises:
        click.UsageError: the command refuses them.
    """
    root = click.get_current_context().find_root()
    found: click.Command = root.command
    for word in words:
        assert isinstance(found, click.Group)  # noqa: S101 (as the table above says)
        inner = found.get_command(root, word)
        assert inner is not None  # noqa: S101
        found = inner
    context = found.make_context(" ".join(words), list(arguments), obj=App(), resilient_parsing=False)
    given = _Given()
    for param in found.params:
        value = context.params.get(str(param.name), given)
        if value is given or context.get_parameter_source(str(param.name)) is not ParameterSource.COMMANDLINE:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            whole = one.absolute() if isinstance(one, Path) and not keyring.is_token(one) else one
            if isinstance(whole, Path):
                given.paths.append((param, whole))
            given.words += _spelled(param, whole)
    return given


def _spelled(param: click.Parameter, value: object) -> list[str]:
    """One value, as words of a command line."""
    if not isinstance(param, click.Option):
        return [str(value)]
    name = max(param.opts, key=len)
    return [name] if param.is_flag else [name, str(value)]


def _program() -> tuple[str, ...]:
    """The command that starts this program, with absolute paths."""
    beside = Path(sys.executable).with_name("tocsin")
    found = beside if beside.exists() else shutil.which("tocsin")
    if found is not None:
        return (str(Path(found).absolute()),)
    return (sys.executable, "-c", "from bus.cli.main import main; main()")


def _named(context: Context) -> Iterator[Path]:
    """The files that a context names."""
    for field in context.__struct_fields__:
        if isinstance(value := getattr(context, field), Path):
            yield value


def _credentials(secrets: Sequence[Path]) -> dict[str, Path]:
    """Secret files by the credential names of systemd, which are their file names."""
    found: dict[str, Path] = {}
    for path in secrets:
        if keyring.is_credential_name(path.name) and found.setdefault(path.name, path) == path:
            continue
        raise click.UsageError(
            f"systemd cannot pass on {path.name}; give {path} a unique name of letters, digits, dots, hyphens"
        )
    return found
