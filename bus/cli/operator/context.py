"""`tocsin context` and `tocsin config`: the identity on this bus, and the source of each setting."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from bus import keys
from bus.cli import frame
from bus.cli.frame import FILE, TLPS, Answer, App, Group, Table, command, completing, gathered, repeatable
from bus.config import CONTEXT_NAME, Context, is_server, save_context, tls_problem

REQUIRED = ("authority", "domain", "pin", "registry")
OPTIONAL = [name for name in Context.__struct_fields__ if name not in REQUIRED]


@click.group(cls=Group)
def context() -> None:
    """Identities: an authority or a hub with its server, keys, registry and state folder."""


@command(context, "ls")
def list_(app: App) -> Answer:
    """List the contexts; the current one is marked."""
    settings = app.loaded.settings
    current = app.context_name or settings.context
    contexts = sorted(settings.contexts.items())
    rows = [
        ("*" if name == current else "", name, context.authority, context.domain, context.server or "")
        for name, context in contexts
    ]
    hint = f"no context in {app.loaded.home}; make one: tocsin context add NAME --authority ID ..."
    return Answer(
        [{"name": name, "current": name == current, **_plain(context)} for name, context in contexts],
        table=Table(("", "name", "authority", "domain", "server"), rows),
        notes=[] if contexts else [hint],
    )


@command(context, "current")
def current(app: App) -> Answer:
    """Print the name of the current context, for example in a shell prompt."""
    name, context = app.context()
    return Answer({"name": name, **_plain(context)}, lines=[name])


@command(context, "show")
@click.argument("name", required=False, shell_complete=completing.contexts)
def show_context(app: App, name: str | None) -> Answer:
    """Print the settings of the context NAME, or of the current one."""
    found, chosen = app.loaded.pick(name or app.context_name)
    settings = _plain(chosen)
    return Answer({"name": found, **settings}, table=Table(("setting", "value"), settings.items()))


@command(context, "use")
@click.argument("name", shell_complete=completing.contexts)
def use(app: App, name: str) -> Answer:
    """Make NAME the current context."""
    _, chosen = app.loaded.pick(name)
    path = save_context(app.loaded.home, name, chosen, current=True)
    return Answer({"name": name, "file": str(path)}, notes=[f"{name} is now the current context ({path})"])


def _given(server: str | None = None, **others: object) -> dict[str, object]:
    """The settings that the options give, with absolute paths; without those that were left out.

    Raises:
        click.UsageError: the server's address is malformed.
    """
    if server is not None and not is_server(server):
        raise click.UsageError(f"--server must be an address like nats://host:4222, not {server!r}")
    values = {"server": server, **others}
    return {name: _absolute(value) for name, value in values.items() if value is not None}


settings_options = gathered(
    "settings",
    _given,
    click.option("--beacon", type=FILE, help="beacon file"),
    click.option("--server", help="nats://host:port"),
    click.option("--key", type=FILE, help="signing key (encrypted PEM, or a pkcs11: address)"),
    click.option("--passphrase-file", type=FILE, help="file holding the key's passphrase or PIN"),
    click.option("--nkey", type=FILE, help="transport key"),
    click.option("--tls-ca", type=FILE, help="CA of the broker's certificate (PEM); requires TLS"),
    click.option("--tls-cert", type=FILE, help="client certificate (PEM)"),
    click.option("--tls-key", type=FILE, help="private key of the client certificate (PEM, mode 0600)"),
    click.option(
        "--seal-keys",
        type=FILE,
        help="seal key, or folder of seal keys (*.pem), to open sealed bulletins; same passphrase file",
    ),
    click.option(
        "--certificate",
        type=FILE,
        help="seal certificate of the (ES256) key in PEM; signatures are then JAdES seals too",
    ),
    click.option("--contacts", type=FILE, help="this hub's list of duty desks (TOML)"),
    click.option(
        "--notify",
        type=FILE,
        help="rules for telling people (TOML)  [default: notify.toml beside the settings]",
    ),
    click.option("--state", type=FILE, help="folder of outbox and store"),
    click.option("--tlp", type=click.Choice(TLPS), help="marking of drafts without one"),
    click.option("--audience", shell_complete=completing.audiences, help="audience of drafts without one"),
    click.option(
        "--health",
        metavar="ADDRESS",
        help="where its programs serve /healthz: HOST:PORT or unix:PATH; {program} in it is the program's name",
    ),
    click.option(
        "--lang",
        help="language of the sheets of bulletins: de, el, en, et, fr  [default: LC_ALL or LANG]",
    ),
    fields=OPTIONAL,
)


@command(context, "add")
@click.argument("name")
@click.option("--authority", required=True, help="authority or hub id, e.g. xa-csirt")
@click.option("--domain", required=True, help="the registry's domain")
@click.option("--pin", required=True, help="digest of the registry version, which you received out of band")
@click.option("--registry", type=FILE, required=True, help="registry file")
@settings_options
@click.option("--use", "make_current", is_flag=True, help="make it the current one")
def add(
    app: App, name: str, *, registry: Path, settings: dict[str, object], make_current: bool, **who: str
) -> Answer:
    """Add or replace the context NAME in your own settings; `context set` changes single settings of one."""
    if not CONTEXT_NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} cannot name a context: letters, digits, dots, hyphens; at most 64")
    made = msgspec.convert({**who, "registry": registry.absolute(), **settings}, Context)
    path = _kept(app, name, made, app.loaded.settings.contexts.get(name), current=make_current)
    return Answer(
        {"name": name, "file": str(path), **_plain(made)}, notes=[f"context {name} written to {path}"]
    )


@command(context, "set")
@click.argument("name", shell_complete=completing.contexts)
@click.option("--authority", help="authority or hub id, e.g. xa-csirt")
@click.option("--domain", help="the registry's domain")
@click.option("--pin", help="digest of the registry version, which you received out of band")
@click.option("--registry", type=FILE, help="registry file")
@settings_options
@repeatable(
    "--unset",
    type=click.Choice(OPTIONAL),
    metavar="SETTING",
    help="remove this setting, named as in context show; may be repeated",
)
def set_(
    app: App,
    name: str,
    *,
    registry: Path | None,
    settings: dict[str, object],
    unset: tuple[str, ...],
    **who: str | None,
) -> Answer:
    """Change single settings of the context NAME; all others stay as they are.

    After `registry rotate`: --key NEW.pem --passphrase-file NEW.pass.
    """
    _, before = app.loaded.pick(name)
    _must_be_mine(app, name)
    given = {key: value for key, value in who.items() if value is not None} | settings
    if registry is not None:
        given["registry"] = registry.absolute()
    if both := sorted(set(given) & set(unset)):
        raise click.UsageError(f"{', '.join(both)}: set or unset, not both")
    if not given and not unset:
        raise click.UsageError("no setting to change; name one, such as --key FILE")
    changed = {key: given.get(key) for key in (*given, *unset) if getattr(before, key) != given.get(key)}
    made = msgspec.structs.replace(before, **changed)
    if not changed:
        return Answer(
            {"name": name, "changed": [], **_plain(made)},
            notes=[f"context {name} has these settings already"],
        )
    path = _kept(app, name, made, before)
    return Answer(
        {"name": name, "file": str(path), "changed": sorted(changed), **_plain(made)},
        notes=[f"context {name}: {', '.join(sorted(changed))} changed in {path}"],
    )


def _kept(app: App, name: str, made: Context, before: Context | None, *, current: bool = False) -> Path:
    """Record the change in the audit record, then write the context into the user's own settings. Returns the file."""
    if problem := tls_problem(made):
        raise click.UsageError(problem)
    frame.record_context(app, name, made, before)
    return save_context(app.loaded.home, name, made, current=current)


def _must_be_mine(app: App, name: str) -> None:
    """Refuse to change a setting of a file in this folder: it overrides the user's own settings."""
    nearer = str(Path.cwd() / "tocsin.toml")
    if any(each.key == f"contexts.{name}.authority" and each.origin == nearer for each in app.loaded.origins):
        raise click.UsageError(
            f"{name} is set by {nearer}, which overrides your own settings; change it there"
        )


def _absolute(value: object) -> object:
    """An absolute path; the address of a key in a token stays as it is."""
    return value.absolute() if isinstance(value, Path) and not keys.is_token(value) else value


@click.group(cls=Group)
def config() -> None:
    """Settings: flags, then TOCSIN_*, then ./tocsin.toml, then your own file, then /etc."""


@command(config, "show")
@click.option("--origin", is_flag=True, help="show the source of each value")
def show(app: App, *, origin: bool) -> Answer:
    """Print every setting in force."""
    rows = app.loaded.origins
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    cells = ((row.key, row.value, row.origin)[: len(columns)] for row in rows)
    return Answer(rows, table=Table(columns, cells))


def _plain(context: msgspec.Struct) -> dict[str, object]:
    fields = msgspec.to_builtins(context, enc_hook=str)
    return {key: value for key, value in fields.items() if value is not None}
