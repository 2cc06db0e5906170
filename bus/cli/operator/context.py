"""`tocsin context` and `tocsin config`: who am I on this bus, and which setting came from where."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from bus import keys
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, Group, Table, command
from bus.config import CONTEXT_NAME, Context, is_server, save_context, tls_problem


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
    """Print the name of the current context; fit for a shell prompt."""
    name, context = app.context()
    return Answer({"name": name, **_plain(context)}, lines=[name])


@command(context, "use")
@click.argument("name")
def use(app: App, name: str) -> Answer:
    """Make NAME the current context."""
    _, chosen = app.loaded.pick(name)
    path = save_context(app.loaded.home, name, chosen, current=True)
    return Answer({"name": name, "file": str(path)}, notes=[f"{name} is now the current context ({path})"])


@command(context, "add")
@click.argument("name")
@click.option("--authority", required=True, help="authority or hub id, e.g. xa-csirt")
@click.option("--domain", required=True, help="the registry's domain")
@click.option("--pin", required=True, help="digest of the registry version you were given out of band")
@click.option("--registry", "registry_file", required=True, type=FILE, help="registry file")
@click.option("--beacon", type=FILE, help="beacon file")
@click.option("--server", help="nats://host:port")
@click.option("--key", type=FILE, help="signing key (encrypted PEM, or a pkcs11: address)")
@click.option("--passphrase-file", type=FILE, help="file holding the key's passphrase or PIN")
@click.option("--nkey", type=FILE, help="transport key")
@click.option("--tls-ca", type=FILE, help="who signs the broker's certificate (PEM); demands TLS")
@click.option("--tls-cert", type=FILE, help="client certificate (PEM)")
@click.option("--tls-key", type=FILE, help="its private key (PEM, mode 0600)")
@click.option(
    "--seal-keys",
    type=FILE,
    help="seal key, or folder of seal keys (*.pem), that open what is sealed; same passphrase file",
)
@click.option(
    "--certificate",
    type=FILE,
    help="seal certificate of the (ES256) key in PEM: what is signed is a JAdES seal too",
)
@click.option("--contacts", type=FILE, help="this hub's list of duty desks (TOML)")
@click.option("--state", type=FILE, help="folder of outbox and store")
@click.option(
    "--health",
    metavar="ADDRESS",
    help="where its programs serve /healthz: HOST:PORT or unix:PATH; {program} in it is the program's name",
)
@click.option(
    "--lang", help="language of the sheets of bulletins: de, el, en; otherwise that of LC_ALL or LANG"
)
@click.option("--use", "make_current", is_flag=True, help="make it the current one")
def add(app: App, name: str, *, registry_file: Path, make_current: bool, **parts: object) -> Answer:
    """Add or replace the context NAME in your own settings."""
    if not CONTEXT_NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} cannot name a context: letters, digits, dots, hyphens; at most 64")
    if parts["server"] is not None and not is_server(parts["server"]):
        raise click.UsageError(f"--server must be an address like nats://host:4222, not {parts['server']!r}")
    fields = {
        key: value.absolute() if isinstance(value, Path) and not keys.is_token(value) else value
        for key, value in parts.items()
    }
    context = msgspec.convert({**fields, "registry": registry_file.absolute()}, Context)
    if problem := tls_problem(context):
        raise click.UsageError(problem)
    frame.record_context(app, name, context, app.loaded.settings.contexts.get(name))
    path = save_context(app.loaded.home, name, context, current=make_current)
    facts = {"name": name, "file": str(path), **_plain(context)}
    return Answer(facts, notes=[f"context {name} written to {path}"])


@click.group(cls=Group)
def config() -> None:
    """Settings: flags, then TOCSIN_*, then ./tocsin.toml, then your own file, then /etc."""


@command(config, "show")
@click.option("--origin", is_flag=True, help="say where each value came from")
def show(app: App, *, origin: bool) -> Answer:
    """Print every setting in force."""
    rows = app.loaded.origins
    columns = ("setting", "value", "from") if origin else ("setting", "value")
    cells = ((row.key, row.value, row.origin)[: len(columns)] for row in rows)
    return Answer(rows, table=Table(columns, cells))


def _plain(context: msgspec.Struct) -> dict[str, object]:
    fields = msgspec.to_builtins(context, enc_hook=str)
    return {key: value for key, value in fields.items() if value is not None}
