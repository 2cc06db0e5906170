"""`tocsin backup` and `tocsin restore`: one archive of a context."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bus import console, upkeep
from bus.cli import frame
from bus.cli.frame import FILE, Answer, App, Table, command, input_errors, must_be_new
from bus.cli.operator.hub_console import oidc_file
from bus.config import DESK_FILE, OIDC_FILE, save_context, state_of
from bus.errors import ConfigError

if TYPE_CHECKING:
    from bus.config import Context


@command()
@click.argument("archive", type=FILE)
@click.option(
    "--with-keys",
    is_flag=True,
    help="signing and seal keys (encrypted), transport and TLS keys and the secret of a single sign-on (not encrypted); never a passphrase",
)
@click.option("--no-store", is_flag=True, help="leave out the reader's store, which can be large")
def backup(app: App, archive: Path, *, with_keys: bool, no_store: bool) -> Answer:
    """Write ARCHIVE, a new file of mode 0600: outbox, store, audit record, registry, statements and settings of a context.

    With a desk also the settings of its single sign-on, and with --with-keys their secret. Its programs may keep running. The archive
    holds the digest of each file. The command prints the digest of the archive: write it down elsewhere.
    """
    must_be_new(archive)
    name, context = app.context()
    sign_on, lacking = _sign_on(app, with_secret=with_keys)
    kept = upkeep.back_up(
        name,
        context,
        app.state_folder(),
        archive.absolute(),
        app.now(),
        with_keys=with_keys,
        with_store=not no_store,
        sign_on=sign_on,
    )
    frame.record(app, "backed-up", file=str(archive), sha256=kept.sha256, with_keys=with_keys)
    size = sum(kept.members.values())
    return Answer(
        {"file": str(archive), "sha256": kept.sha256, "members": kept.members},
        lines=[kept.sha256],
        notes=[
            f"{archive} holds {len(kept.members)} files of {name}, {size} bytes; write its digest down elsewhere",
            *lacking,
        ],
    )


def _sign_on(app: App, *, with_secret: bool) -> tuple[dict[str, bytes], list[str]]:
    """The settings of the desk's single sign-on as files beside those of contexts, and what is to be said of what is left out.

    The files that the settings name may be anywhere on this machine; where they are restored they have names of their own.
    """
    file = oidc_file(app)
    if file is None or not (app.state_folder() / DESK_FILE).is_file():
        return {}, []
    try:
        found = console.read_oidc(file)
        ca = b"" if found.ca_file is None else found.ca_file.read_bytes()
        secret = found.secret().encode()
    except (ConfigError, OSError) as exc:
        return {}, [f"{file.name} is not in it: {exc}"]
    told: dict[str, object] = {"issuer": found.issuer, "client": found.client, "secret_file": "oidc-secret"}
    told |= {"name": found.name, "networks": list(map(str, found.networks))}
    files = {} if not ca else {"oidc-ca.pem": ca}
    if ca:
        told["ca_file"] = "oidc-ca.pem"
    # Strings and lists of strings of JSON are those of TOML.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in told.items()]
    files[OIDC_FILE] = "".join(lines).encode()
    if with_secret:
        return {**files, "oidc-secret": secret + b"\n"}, []
    return files, [f"the secret of {file.name} is not in it; it is with --with-keys"]


@command()
@click.argument("archive", type=FILE)
@click.option("--digest", "sha256", metavar="SHA256", help="digest of the archive, as backup printed it")
@click.option("--force", is_flag=True, help="set an existing outbox or store aside")
@click.option("--dry-run", is_flag=True, help="check everything, write nothing")
def restore(app: App, archive: Path, *, sha256: str | None, force: bool, dry_run: bool) -> Answer:
    """Restore a context from ARCHIVE, after every file in it matches its digest.

    Files go to the places that the settings here name, or, if the context is new here, below the folder of the
    settings. Registry, keys and audit record are never overwritten. With --force an existing outbox or store is set
    aside. A restored outbox signs nothing until it is compared with the bus, by publish or tocsin outbox recover.
    """

    def find(name: str) -> tuple[Context, Path] | None:
        context = app.loaded.settings.contexts.get(name)
        return None if context is None else (context, state_of(name, context, os.environ))

    with input_errors(archive):
        archive.open("rb").close()
    done = upkeep.restore(
        archive, app.loaded.home, find, app.now(), force=force, sha256=sha256, rehearse=dry_run
    )
    name = done.name
    if not dry_run:
        if name not in app.loaded.settings.contexts:
            save_context(app.loaded.home, name, done.context)
        app.context_name = name
        app.__dict__.pop("loaded", None)
        frame.record(
            app,
            "restored",
            file=str(archive),
            made=f"{done.made:%Y-%m-%dT%H:%M:%SZ}",
            files=len(done.written),
        )
    would = "would be " if dry_run else ""
    return Answer(
        done,
        table=Table(
            ("", "file"),
            [
                *((f"{would}written", path) for path in done.written),
                *((f"{would}set aside", path) for path in done.set_aside),
                *(("stays", path) for path in done.kept),
            ],
        ),
        notes=[
            f"{name}, as it was on {done.made:%Y-%m-%d %H:%M:%S} UTC",
            "its outbox signs nothing until it is compared with the bus: run tocsin outbox recover, or publish with the bus in reach",
        ],
    )
