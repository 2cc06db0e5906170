"""Where settings come from: flags, then `TOCSIN_*`, then files, each value with its origin.

Order, first wins: a flag; a `TOCSIN_*` variable; `./tocsin.toml`; `$TOCSIN_HOME/config.toml` (default
`$XDG_CONFIG_HOME/tocsin/config.toml`); `/etc/tocsin/config.toml`. A *context* names one identity: an
authority or a hub with its server, keys, registry and state folder. Paths in a file are relative to that
file. Secrets are files, never values.
"""

from __future__ import annotations

import difflib
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bus.errors import ConfigError

SYSTEM_FILE = Path("/etc/tocsin/config.toml")
_T = TypeVar("_T")


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity on the bus. Paths are absolute once loaded."""

    authority: str
    domain: str
    pin: str
    registry: Path
    server: str | None = None
    beacon: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    nkey: Path | None = None
    seal_keys: Path | None = None
    state: Path | None = None
    tlp: str | None = None
    pap: str | None = None
    audience: str | None = None


_PATHS = ("registry", "beacon", "key", "passphrase_file", "nkey", "seal_keys", "state")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a settings file may say."""

    context: str | None = None
    timeout_s: float | None = None
    color: str | None = None
    contexts: dict[str, Context] = {}


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One setting with where it came from."""

    key: str
    value: str
    origin: str


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings after all layers, and the origin of each."""

    settings: Settings
    origins: tuple[Origin, ...]
    home: Path

    def pick(self, name: str | None) -> tuple[str, Context]:
        """The context called `name`, or the current one.

        Raises:
            ConfigError: `no-context` when none is chosen, `unknown-context` with the nearest name.
        """
        chosen = name or self.settings.context
        known = sorted(self.settings.contexts)
        if chosen is None:
            if len(known) == 1:
                chosen = known[0]
            else:
                hint = (
                    f"choose one of: {', '.join(known)}"
                    if known
                    else "none is configured yet: tocsin context add"
                )
                raise ConfigError(f"no context is chosen; use --context NAME ({hint})", reason="no-context")
        if chosen not in self.settings.contexts:
            near = _did_you_mean(chosen, known)
            where = f"known here: {', '.join(known)}" if known else f"none is configured in {self.home}"
            raise ConfigError(f"there is no context {chosen!r}{near}; {where}", reason="unknown-context")
        return chosen, self.settings.contexts[chosen]


def home_of(env: Mapping[str, str]) -> Path:
    """The folder of the user's own settings."""
    if env.get("TOCSIN_HOME"):
        return Path(env["TOCSIN_HOME"]).expanduser().absolute()
    base = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "tocsin"


def state_of(name: str, context: Context, env: Mapping[str, str]) -> Path:
    """The state folder of a context: as configured, else under `$XDG_STATE_HOME/tocsin`."""
    if context.state is not None:
        return context.state
    base = env.get("XDG_STATE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local/state")
    return Path(base) / "tocsin" / name


def load(env: Mapping[str, str], cwd: Path, *, files: bool = True) -> Loaded:
    """Read every layer.

    Args:
        env: the process environment.
        cwd: where `tocsin.toml` is looked for.
        files: False ignores every settings file (`--no-config`).

    Raises:
        ConfigError: a file is unreadable, is not TOML, or has an unknown or ill-typed key.
    """
    home = home_of(env)
    layers = [SYSTEM_FILE, home / "config.toml", cwd / "tocsin.toml"] if files else []
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    contexts: dict[str, Context] = {}
    for path in layers:
        if not path.is_file():
            continue
        read = _read(path)
        for key in ("context", "timeout_s", "color"):
            if (value := getattr(read, key)) is not None:
                merged[key] = value
                origins[key] = Origin(key=key, value=str(value), origin=str(path))
        for name, context in read.contexts.items():
            contexts[name] = context
            for field in context.__struct_fields__:
                if (value := getattr(context, field)) is not None:
                    key = f"contexts.{name}.{field}"
                    origins[key] = Origin(key=key, value=str(value), origin=str(path))
    for key, variable in (
        ("context", "TOCSIN_CONTEXT"),
        ("timeout_s", "TOCSIN_TIMEOUT"),
        ("color", "TOCSIN_COLOR"),
    ):
        if env.get(variable):
            merged[key] = (
                float(env[variable]) if key == "timeout_s" and _is_number(env[variable]) else env[variable]
            )
            origins[key] = Origin(key=key, value=env[variable], origin=f"environment {variable}")
    settings = _convert({**merged}, Settings, "the environment")
    settings = msgspec.structs.replace(settings, contexts=contexts)
    return Loaded(settings=settings, origins=tuple(origins[k] for k in sorted(origins)), home=home)


def _read(path: Path) -> Settings:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}", reason="config-unreadable") from None
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}", reason="config-malformed") from None
    contexts = raw.get("contexts", {})
    if isinstance(contexts, dict):
        for body in contexts.values():
            if isinstance(body, dict):
                for field in _PATHS:
                    if isinstance(body.get(field), str) and not body[field].startswith("pkcs11:"):
                        body[field] = str((path.parent / Path(body[field]).expanduser()).absolute())
    return _convert(raw, Settings, str(path))


def _convert(raw: dict[str, Any], type_: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(raw, type_, strict=True, dec_hook=_path)
    except msgspec.ValidationError as exc:
        text = str(exc)
        near = ""
        if "unknown field `" in text:
            bad = text.split("`")[1]
            near = _did_you_mean(bad, [*Settings.__struct_fields__, *Context.__struct_fields__])
        raise ConfigError(f"{where}: {text}{near}", reason="config-malformed") from None


def _path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"unexpected {type_}")


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def save_context(home: Path, name: str, context: Context, *, current: bool = False) -> Path:
    """Add or replace one context in `home/config.toml`, atomically, keeping the others.

    Returns:
        The file written.
    """
    return save_contexts(home, {name: context}, current=name if current else None)


def save_contexts(home: Path, contexts: Mapping[str, Context], *, current: str | None = None) -> Path:
    """Add or replace several contexts in `home/config.toml` in one atomic write; see `save_context`."""
    path = home / "config.toml"
    settings = _read(path) if path.is_file() else Settings()
    settings = msgspec.structs.replace(
        settings, contexts={**settings.contexts, **contexts}, context=current or settings.context
    )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, _toml(settings, home).encode())
    return path


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a whole file or none of it: temporary file, fsync, rename, fsync of the folder."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _toml(settings: Settings, base: Path) -> str:
    lines = ["# Written by tocsin; edit freely, unknown keys are errors.\n"]
    top = ((key, getattr(settings, key)) for key in ("context", "timeout_s", "color"))
    lines.extend(f"{key} = {_literal(value)}\n" for key, value in top if value is not None)
    for name in sorted(settings.contexts):
        context = settings.contexts[name]
        lines.append(f"\n[contexts.{name}]\n")
        for field in context.__struct_fields__:
            value = getattr(context, field)
            if isinstance(value, Path):
                value = str(value.relative_to(base)) if value.is_relative_to(base) else str(value)
            if value is not None:
                lines.append(f"{field} = {_literal(value)}\n")
    return "".join(lines)


def _literal(value: object) -> str:
    # JSON strings and numbers are valid TOML values as long as no character needs a \u surrogate pair.
    return msgspec.json.encode(value).decode()
