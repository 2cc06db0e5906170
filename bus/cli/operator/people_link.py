"""`tocsin people link`: which subject of a single sign-on is which person of this hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bus import console, desk, storage
from bus.cli import frame
from bus.cli.frame import Answer, App, Table, command
from bus.cli.operator.hub_console import oidc_file

if TYPE_CHECKING:
    import sqlite3

    from bus.desk.links import Link


@command(name="link")
@click.argument("id_", metavar="ID")
@click.option(
    "--oidc", "subject", metavar="SUBJECT", help="what the sign-on calls this person: the claim sub"
)
@click.option("--issuer", metavar="URL", help="whose subject it is  [default: the issuer of oidc.toml]")
@click.option(
    "--remove", is_flag=True, help="let the person sign in as this subject no more; all sessions end"
)
def link(app: App, id_: str, *, subject: str | None, issuer: str | None, remove: bool) -> Answer:
    """Let the person ID sign in by the single sign-on as SUBJECT; without --oidc list the links of ID.

    Roles, ceiling and audiences stay those of this hub. Who signs in with a subject that is linked to nobody reads it on the
    sign-in page.
    """
    if subject is None and (issuer is not None or remove):
        raise click.UsageError("name the subject: --oidc SUBJECT")
    act = desk.at_command_line(app.now().timestamp())
    wanted = _issuer(app, issuer) if subject is not None else ""

    def work(db: sqlite3.Connection) -> list[Link]:
        if subject is not None and remove:
            desk.links.remove(db, act, id_, wanted, subject)
        elif subject is not None:
            desk.links.add(db, act, id_, wanted, subject)
        return desk.links.listed(db, act, id_)

    if subject is None:
        found = frame.within(frame.open_desk(app), lambda held: held.read(work))
    else:
        found = frame.within(frame.open_desk(app, make=True), lambda held: held.write(work))
    values = [
        {"person": each.person, "issuer": each.issuer, "subject": each.subject, "since": storage.utc(each.at)}
        for each in found
    ]
    rows = [(each.subject, each.issuer, frame.at(storage.utc(each.at))) for each in found]
    nobody = f"{id_} is linked to no subject"
    return Answer(values, table=Table(("subject", "issuer", "since"), rows), notes=[] if found else [nobody])


def _issuer(app: App, named: str | None) -> str:
    """The issuer that an option names, or else that of the settings.

    Raises:
        ConfigError: `oidc-settings`.
    """
    if named is not None:
        return named
    file = oidc_file(app)
    if file is None:
        raise click.UsageError("there is no oidc.toml beside the settings; name the issuer: --issuer URL")
    return console.read_oidc(file).issuer
