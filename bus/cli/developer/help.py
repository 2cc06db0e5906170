"""`tocsin help` and `completion`: topics that concern every command, and completion scripts for shells."""

from __future__ import annotations

import datetime as dt
import os
from importlib import metadata
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from bus.cli.developer import man
from bus.cli.frame import EXIT_CODES, FOLDER, Answer, App, command

ENVIRONMENT = {
    "TOCSIN_HOME": "folder of config.toml (default $XDG_CONFIG_HOME/tocsin)",
    "TOCSIN_CONTEXT": "identity to act as, as --context",
    "TOCSIN_TIMEOUT": "seconds to wait for the bus, as --timeout",
    "TOCSIN_COLOR": "auto, always or never, as --color",
    "TOCSIN_NATS_SERVER": "path of the nats-server binary",
    "NO_COLOR": "any value turns colour off",
    "XDG_STATE_HOME": "folder of outboxes and stores, unless a context names another",
    "EDITOR": "the editor that tocsin bulletin new opens",
}

TOPICS: dict[str, str] = {
    "exit-codes": "\n".join(f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items()),
    "environment": "\n".join(f"{name:<20}{meaning}" for name, meaning in ENVIRONMENT.items()),
    "formatting": """\
Data goes to standard output, everything else to standard error.
--json prints one object; commands that stream print one object on each line (NDJSON).
On a terminal, tables are aligned; in a pipe they are tab-separated values without a heading.
--plain leaves out boxes and colour. Control and bidirectional characters are shown as escapes.
Times are UTC, RFC 3339.""",
}


def _topics(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    root = ctx.find_root()
    commands = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
    return [CompletionItem(name) for name in (*TOPICS, *commands) if name.startswith(incomplete)]


@command(name="help")
@click.argument("topic", required=False, shell_complete=_topics)
@click.option("--man", "folder", type=FOLDER, help="write the manual page of every command into this folder")
@click.pass_context
def help_(ctx: click.Context, app: App, topic: str | None, folder: Path | None) -> Answer:
    """Explain TOPIC: exit-codes, environment or formatting; or any command. With --man, all commands as manual pages."""
    if folder is not None:
        if topic is not None:
            raise click.UsageError("--man writes the pages of every command; leave TOPIC out")
        return _write_pages(ctx, app, folder)
    if topic is None:
        return Answer({"topics": list(TOPICS)}, lines=[f"tocsin help {name}" for name in TOPICS])
    if topic in TOPICS:
        return Answer({"topic": topic, "text": TOPICS[topic]}, lines=TOPICS[topic].split("\n"))
    root = ctx.find_root()
    command_ = root.command.get_command(root, topic) if isinstance(root.command, click.Group) else None
    if command_ is None:
        raise click.UsageError(f"there is no topic or command {topic!r}; topics: {', '.join(TOPICS)}")
    return Answer(raw=command_.get_help(click.Context(command_, info_name=topic, parent=root)) + "\n")


def _write_pages(ctx: click.Context, app: App, folder: Path) -> Answer:
    """Write every page. Its date is that of SOURCE_DATE_EPOCH (set in package builds), or today."""
    root = ctx.find_root().command
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    day = dt.datetime.fromtimestamp(int(epoch), dt.UTC) if epoch.isdecimal() else app.now()
    made = (
        man.pages(root, "tocsin", metadata.version("tocsin"), day.date(), ENVIRONMENT)
        if isinstance(root, click.Group)
        else ()
    )
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for name, text in made:
        (folder / name).write_text(text, "utf-8")
        names.append(name)
    look = f"man {folder / names[0]}"
    return Answer(
        {"folder": str(folder), "pages": names}, notes=[f"{len(names)} pages in {folder}; look: {look}"]
    )


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, _app: App, shell: str) -> Answer:
    """Print the completion script of SHELL. Load it from your shell's start-up file."""
    shells = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    script = shells[shell](ctx.find_root().command, {}, "tocsin", "_TOCSIN_COMPLETE").source()
    return Answer({"shell": shell, "script": script}, raw=script + "\n")
