"""`tocsin schema`: the documents of the wire contract, for programs in other languages."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from bus.cli.frame import FOLDER, Answer, App, Group, Table, command
from schemas.export import documents


@click.group(cls=Group)
def schema() -> None:
    """JSON Schema and AsyncAPI documents."""


@command(schema, "export")
@click.option("--out", type=FOLDER, help="folder for all documents")
@click.option("--name", help="print only this one: bulletin, draft, registry, asyncapi, ...")
def export(_app: App, *, out: Path | None, name: str | None) -> Answer:
    """Write the documents into a folder, or print one."""
    texts = documents()
    if name is not None:
        named = {file.split(".")[0]: text for file, text in texts.items()}
        if name not in named:
            raise click.UsageError(f"there is no document {name!r}; there are: {', '.join(sorted(named))}")
        return Answer(raw=named[name])
    if out is None:
        return Answer(
            {file: msgspec.json.decode(text) for file, text in texts.items()},
            table=Table(("document",), [(file,) for file in sorted(texts)]),
            notes=["write them with --out FOLDER, or print one with --name NAME"],
        )
    out.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (out / file).write_text(text, "utf-8")
    return Answer(
        {"folder": str(out), "files": sorted(texts)}, notes=[f"{len(texts)} documents written to {out}"]
    )
