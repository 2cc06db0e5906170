"""Loads the settings: flags, then `TOCSIN_*`, then files; each value keeps its origin.

Order, first wins: a flag; a `TOCSIN_*` variable; `./tocsin.toml`; `$TOCSIN_HOME/config.toml` (default
`$XDG_CONFIG_HOME/tocsin/config.toml`); `/etc/tocsin/config.toml`. A *context* names one identity: an
authority or a hub with its server, keys, registry and state folder. Paths in a file are relative to that
file. Secrets are files, never values.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from bus import toml
from bus.errors import ConfigError
from bus.storage import write_atomically

SYSTEM_FILE = Path("/etc/tocsin/config.toml")
_T = TypeVar("_T", bound=msgspec.Struct)
Interval = Annotated[int, msgspec.Meta(ge=10, le=86_400)]


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity on the bus. Paths are absolute after loading."""

    authority: str
    domain: str
    pin: str
    registry: Path
    server: str | None = None
    beacon: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    nkey: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    seal_keys: Path | None = None
    certificate: Path | None = None
    contacts: Path | None = None
    notify: Path | None = None
    state: Path | None = None
    tlp: str | None = None
    pap: str | None = None
    audience: str | None = None
    heartbeat_before_s: Interval | None = None
    heartbeat_during_s: Interval | None = None
    heartbeat_after_s: Interval | None = None
    heartbeat_none_s: Interval | None = None
    posture: str | None = None
    duty: str | None = None
    health: str | None = None
    lang: str | None = None


_PATHS = tuple(field.name for field in msgspec.structs.fields(Context) if field.type in (Path, Path | None))
_VARIABLES = {"context": "TOCSIN_CONTEXT", "timeout_s": "TOCSIN_TIMEOUT", "color": "TOCSIN_COLOR"}
"""The settings other than contexts and deadlines -> the variable that sets each."""
OUTBOX_FILE, STORE_FILE, DESK_FILE = "outbox.db", "store.db", "desk.db"
"""Files of a state folder: the identity's outbox, its store, and the file of its people."""
NOTIFY_FILE = "notify.db"
"""File of a state folder: the messages to people."""
NOTIFY_RULES = "notify.toml"
"""File beside the settings: the rules for messages to people, unless a context names another."""
OIDC_FILE = "oidc.toml"
"""File beside the settings: the single sign-on of a hub's console."""
COLORS = ("auto", "always", "never")
CONTEXT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # the name is also a folder's name
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCHEMES = ("nats", "tls", "ws", "wss")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a settings file."""

    context: str | None = None
    timeout_s: float | None = None
    color: str | None = None
    deadlines: dict[str, list[int]] = {}
    contexts: dict[str, Context] = {}


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One setting with its source."""

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
        if chosen is None and len(known) == 1:
            chosen = known[0]
        if chosen is None:
            choice = f"choose one of: {', '.join(known)}"
            hint = choice if known else "none is configured yet: tocsin context add"
            raise ConfigError(
                "no context is chosen", remedy=f"use --context NAME ({hint})", reason="no-context"
            )
        if chosen not in self.settings.contexts:
            near = _did_you_mean(chosen, known)
            where = f"known here: {', '.join(known)}" if known else f"none is configured in {self.home}"
            raise ConfigError(f"there is no context {chosen!r}{near}; {where}", reason="unknown-context")
        return chosen, self.settings.contexts[chosen]


def home_of(env: Mapping[str, str]) -> Path:
    """The folder of the user's own settings."""
    if env.get("TOCSIN_HOME"):
        return Path(env["TOCSIN_HOME"]).expanduser().absolute()
    return _xdg_folder(env, "XDG_CONFIG_HOME", ".config")


def state_of(name: str, context: Context, env: Mapping[str, str]) -> Path:
    """The state folder of a context: as configured, else under `$XDG_STATE_HOME/tocsin`."""
    return context.state or _xdg_folder(env, "XDG_STATE_HOME", ".local/state") / name


def private_folder(path: Path) -> Path:
    """The folder; made with mode 0700 if missing."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _xdg_folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    """The folder `tocsin` below a base folder (XDG Base Directory Specification 0.8); the default base lies in the home folder."""
    return Path(env.get(variable) or Path(env.get("HOME", "~")).expanduser() / default) / "tocsin"


def load(env: Mapping[str, str], cwd: Path, *, files: bool = True) -> Loaded:
    """Read all layers of the settings.

    Args:
        env: the process environment.
        cwd: the folder of `tocsin.toml`.
        files: whether to read settings files; False for `--no-config`.

    Raises:
        ConfigError: a file is unreadable, is not TOML, or has an unknown or ill-typed key.
    """
    home = home_of(env)
    layers = [SYSTEM_FILE, home / "config.toml", cwd / "tocsin.toml"] if files else []
    values: dict[str, Any] = {}
    deadlines: dict[str, list[int]] = {}
    contexts: dict[str, Context] = {}
    origins: dict[str, Origin] = {}

    def note(key: str, value: object, origin: str) -> None:
        origins[key] = Origin(key=key, value=str(value), origin=origin)

    for path in filter(Path.exists, layers):
        layer = _read(path)
        deadlines |= layer.deadlines
        contexts |= layer.contexts
        for key in _VARIABLES:
            if (value := getattr(layer, key)) is not None:
                values[key] = value
                note(key, value, str(path))
        for name, seconds in layer.deadlines.items():
            note(f"deadlines.{name}", seconds, str(path))
        for name, context in layer.contexts.items():
            for field, value in msgspec.structs.asdict(context).items():
                if value is not None:
                    note(f"contexts.{name}.{field}", value, str(path))
    for key, variable in _VARIABLES.items():
        if text := env.get(variable):
            values[key] = _number(text) if key == "timeout_s" else text
            note(key, text, f"environment {variable}")
            _check(key, values[key], f"the variable {variable}")
    settings = Settings(**values, deadlines=deadlines, contexts=contexts)
    return Loaded(settings=settings, origins=tuple(origins[key] for key in sorted(origins)), home=home)


def _number(text: str) -> float | str:
    """The number in a text; or the text, which `_check` then refuses."""
    try:
        return float(text)
    except ValueError:
        return text


def _read(path: Path) -> Settings:
    try:
        raw = toml.loads(path.read_bytes())
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}", reason="config-unreadable") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path} is not text in UTF-8", remedy="restore it", reason="config-unreadable"
        ) from None
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: {exc}", reason="config-malformed") from None
    for key in ("timeout_s", "color"):
        if key in raw:
            _check(key, raw[key], str(path))
    contexts = raw.get("contexts", {})
    if not isinstance(contexts, dict):
        raise ConfigError(f"{path}: contexts must be tables: [contexts.NAME]", reason="config-malformed")
    raw["contexts"] = {name: _context(body, name, path) for name, body in contexts.items()}
    return _convert(raw, Settings, str(path))


def _context(body: object, name: str, path: Path) -> Context:
    """One context of a settings file, its paths made absolute."""
    where = f"{path}, context {name}"
    if not isinstance(body, dict):
        raise ConfigError(f"{where}: it must be a table: [contexts.{name}]", reason="config-malformed")
    for field in _PATHS:
        if isinstance(body.get(field), str) and not body[field].startswith("pkcs11:"):
            try:
                body[field] = str((path.parent / Path(body[field]).expanduser()).absolute())
            except RuntimeError:
                raise ConfigError(
                    f"{where}: {field} {body[field]!r} begins with a user name that is unknown here",
                    reason="config-malformed",
                ) from None
    _check("server", body.get("server", "nats://127.0.0.1"), where)
    context = _convert(body, Context, where)
    if problem := tls_problem(context):
        raise ConfigError(f"{where}: {problem}", reason="config-malformed")
    return context


def tls_problem(context: Context) -> str:
    """The fault in a context's TLS settings; empty if there is none."""
    if (context.tls_cert is None) != (context.tls_key is None):
        return "tls_cert and tls_key go together"
    if demands_tls(context) and str(context.server).startswith("ws"):
        return "tls_ca, tls_cert and tls_key are for a server at nats:// or tls://"
    return ""


def demands_tls(context: Context) -> bool:
    """Whether this identity may connect to its broker only with TLS."""
    files = (context.tls_ca, context.tls_cert, context.tls_key)
    return any(files) or str(context.server).startswith("tls:")


def _check(key: str, value: object, where: str) -> None:
    """Check a setting whose type does not limit its values enough.

    Raises:
        ConfigError: `config-malformed`; names the allowed values.
    """
    if key == "color" and value not in COLORS:
        wanted = f"one of {', '.join(COLORS)}"
    elif key == "timeout_s" and not (isinstance(value, int | float) and 0 <= value < math.inf):
        wanted = "a number of seconds, 0 or more"
    elif key == "server" and not is_server(value):
        wanted = "an address like nats://host:4222"
    else:
        return
    raise ConfigError(f"{where}: {key} must be {wanted}, not {value!r}", reason="config-malformed")


def is_server(address: object) -> bool:
    """Whether `address` is that of a broker: scheme, host, optional port."""
    try:
        url = urlsplit(address if isinstance(address, str) else "")
        return url.scheme in _SCHEMES and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        return False


def _convert(raw: dict[str, Any], type_: type[_T], where: str) -> _T:
    try:
        return msgspec.convert(raw, type_, strict=True, dec_hook=_path)
    except msgspec.ValidationError as exc:
        text = str(exc)
        near = ""
        if "unknown field `" in text:
            bad = text.split("`")[1]
            near = _did_you_mean(bad, list(type_.__struct_fields__))
            text = f"there is no setting {bad!r}"
        elif "missing required field `" in text:
            text = f"the setting {text.split('`')[1]!r} is missing"
        raise ConfigError(f"{where}: {text}{near}", reason="config-malformed") from None


def _path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"unexpected {type_}")


def _did_you_mean(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def save_context(home: Path, name: str, context: Context, *, current: bool = False) -> Path:
    """Add or replace one context in `home/config.toml`, atomically, keeping the others.

    Returns:
        The file written.
    """
    return save_contexts(home, {name: context}, current=name if current else None)


def save_contexts(home: Path, contexts: Mapping[str, Context], *, current: str | None = None) -> Path:
    """Add or replace several contexts in `home/config.toml` in one atomic write; see `save_context`."""
    path = home / "config.toml"
    settings = _read(path) if path.exists() else Settings()
    settings = msgspec.structs.replace(
        settings, contexts={**settings.contexts, **contexts}, context=current or settings.context
    )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, _toml(settings, home).encode())
    return path


def _toml(settings: Settings, base: Path) -> str:
    lines = ["# Written by tocsin; edit freely, unknown keys are errors.\n"]
    top = ((key, getattr(settings, key)) for key in _VARIABLES)
    lines.extend(f"{key} = {_literal(value, base)}\n" for key, value in top if value is not None)
    if settings.deadlines:
        lines.append("\n[deadlines]\n")
        lines.extend(f"{_name(key)} = {_literal(value, base)}\n" for key, value in settings.deadlines.items())
    for name in sorted(settings.contexts):
        lines.append(f"\n[contexts.{_name(name)}]\n")
        for field, value in msgspec.structs.asdict(settings.contexts[name]).items():
            if value is not None:
                lines.append(f"{field} = {_literal(value, base)}\n")
    return "".join(lines)


def _name(key: str) -> str:
    """A key in TOML."""
    return key if _BARE_KEY.fullmatch(key) else _literal(key, Path())


def _literal(value: object, base: Path) -> str:
    """A value in TOML; a path below `base` relative to it."""
    if isinstance(value, Path) and value.is_relative_to(base):
        value = value.relative_to(base)
    # JSON strings and numbers are valid TOML values as long as no character needs a \u surrogate pair.
    return msgspec.json.encode(value, enc_hook=str).decode()
