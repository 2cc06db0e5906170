"""`tocsin registry audience|join|leave`: sharing groups, their scopes and their members."""

from __future__ import annotations

from pathlib import Path

import click

from bus import trust
from bus.cli.frame import FILE, Answer, App, check_shape, command, completing
from bus.cli.registrar.proposals import must_be_audience, must_be_in, out_option, proposal, propose
from schemas.scalars import AudienceName
from schemas.vocab import Scope


@command(name="audience")
@click.argument("file", type=FILE)
@click.argument("audience", shell_complete=completing.audiences)
@click.option(
    "--scope",
    type=click.Choice([str(scope) for scope in Scope]),
    required=True,
    help="national: only authorities of one country may be members, publish to it or read it",
)
@out_option
def set_audience(app: App, file: Path, audience: str, *, scope: str, out: Path | None) -> Answer:
    """Propose a new AUDIENCE without members in the registry in FILE, or another scope for an existing one.

    Members and seal policy stay. Shows what changes.
    """
    document, note = proposal(app, file)
    check_shape(
        audience,
        AudienceName,
        f"{audience!r} is not a valid name of an audience: use small letters, digits, hyphens",
    )
    had = document.audiences.get(audience)
    if had is not None and had.scope == scope:
        raise click.UsageError(f"{audience} is an audience of scope {scope} already; nothing would change")
    document = trust.proposals.set_audience(document, audience, Scope(scope))
    what = f"{audience} of scope {scope} proposed"
    what += f", which was {had.scope}," if had is not None else ", without members yet,"
    return propose(app, file, out, document, f"{what} for version {document.version}{note}", shown=True)


@command(name="join")
@click.argument("file", type=FILE)
@click.argument("authority", shell_complete=completing.authorities)
@click.argument("audience", shell_complete=completing.audiences)
@out_option
def join(app: App, file: Path, authority: str, audience: str, *, out: Path | None) -> Answer:
    """Propose AUTHORITY as a member of AUDIENCE. All keys and grants stay.

    Only members can get a grant to read at AMBER and above: tocsin registry grant --read. Shows what changes.
    """
    document, note = proposal(app, file)
    must_be_in(document, authority)
    must_be_audience(document, audience)
    if authority in document.audiences[audience].members:
        raise click.UsageError(f"{authority} is a member of {audience} already; nothing would change")
    document = trust.proposals.join(document, authority, audience)
    text = f"{authority} proposed as a member of {audience} for version {document.version}{note}"
    return propose(app, file, out, document, text, shown=True)


@command(name="leave")
@click.argument("file", type=FILE)
@click.argument("authority", shell_complete=completing.authorities)
@click.argument("audience", shell_complete=completing.audiences)
@click.option("--with-grants", is_flag=True, help="also remove the grants of AUTHORITY for AUDIENCE")
@out_option
def leave(
    app: App, file: Path, authority: str, audience: str, *, with_grants: bool, out: Path | None
) -> Answer:
    """Propose that AUTHORITY leaves AUDIENCE. Its keys stay, and without --with-grants its grants too.

    Refused when a remaining grant is for members only. Shows what changes.
    """
    document, note = proposal(app, file)
    must_be_in(document, authority)
    must_be_audience(document, audience)
    grants = trust.proposals.grants_for(document.authorities[authority], audience)
    if authority not in document.audiences[audience].members and not (with_grants and grants):
        raise click.UsageError(f"{authority} is no member of {audience}; nothing would change")
    document = trust.proposals.leave(document, authority, audience, with_grants=with_grants)
    text = f"{authority} leaves {audience} in version {document.version}"
    if grants:
        text += (
            f", and {grants} grant(s) for it go too"
            if with_grants
            else f", and keeps {grants} grant(s) for it"
        )
    return propose(app, file, out, document, f"{text}{note}", shown=True)
