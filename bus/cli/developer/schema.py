"""`tocsin schema`: the wire contract for other languages."""

from __future__ import annotations

from pathlib import Path

import click

from bus.cli.frame.app import App
from bus.cli.frame.commands import Group, command


@click.group(cls=Group)
def schema() -> None:
    """JSON Schema and AsyncAPI documents."""


@command(schema, "export")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="folder for all of them")
@click.option("--name", help="print only this one: bulletin, draft, registry, asyncapi, ...")
def export(app: App, *, out: Path | None, name: str | None) -> None:
    """Write the documents into a folder, or print one."""
    import msgspec

    from schemas.export import documents

    made = documents()
    if name is not None:
        found = next((text for file, text in made.items() if file.split(".")[0] == name), None)
        if found is None:
            raise click.UsageError(
                f"there is no document {name!r}; there are: {', '.join(sorted(f.split('.')[0] for f in made))}"
            )
        click.echo(found, nl=False)
        return
    if out is None:
        if app.json:
            app.data({file: msgspec.json.decode(text) for file, text in made.items()})
        else:
            app.table(("document",), [(file,) for file in sorted(made)])
            app.note("write them with --out FOLDER, or print one with --name NAME")
        return
    out.mkdir(parents=True, exist_ok=True)
    for file, text in made.items():
        (out / file).write_text(text, "utf-8")
    if app.json:
        app.data({"folder": str(out), "files": sorted(made)})
    else:
        app.note(f"{len(made)} documents written to {out}")
