"""`tocsin audiences`: the audiences this authority may publish to, with markings and kinds."""

from __future__ import annotations

import click

from bus import drafts
from bus.cli import frame
from bus.cli.frame import Answer, App, NotFoundError, Table, command, completing, hint


@command()
@click.argument("name", required=False, shell_complete=completing.audiences)
def audiences(app: App, name: str | None) -> Answer:
    """List the audiences this authority may publish to, with markings and kinds; or NAME alone, with its readers.

    The list follows the registry in force. To publish to another audience, ask your registrar for a grant.
    """
    registry, _ = frame.present_registry(app)
    mine = drafts.audiences_of(registry, app.identity.authority)
    if name is not None:
        mine = tuple(each for each in mine if each.audience == name)
        if not mine:
            known = [each.audience for each in drafts.audiences_of(registry, app.identity.authority)]
            raise NotFoundError(f"{app.identity.authority} may not publish to {name}{hint(name, known)}")
    kinds = {each.kinds for each in mine}
    is_one = len(kinds) == 1
    rows = [
        (
            each.audience,
            " ".join(tlp.upper() for tlp in each.tlps),
            each.scope or "one authority",
            each.members or "",
            "" if is_one else ", ".join(each.kinds),
        )
        for each in mine
    ]
    notes = [f"kinds: {', '.join(next(iter(kinds)))}"] if is_one else []
    if name is not None:
        group = registry.document.audiences.get(name)
        notes.append(f"members: {', '.join(group.members if group else (name,))}")
    if not mine:
        notes = [f"{app.identity.authority} may publish to nobody; ask your registrar"]
    columns = ("audience", "TLP", "reaches", "members", "kinds")
    shown = Table(
        columns[:-1] if is_one else columns,
        [row[:-1] if is_one else row for row in rows],
        ("members", "reaches"),
    )
    return Answer(*mine, table=shown, notes=notes)
