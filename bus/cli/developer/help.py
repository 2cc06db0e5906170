"""`tocsin help` and `completion`: what is true of every command, and what shells need."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ZshComplete

from bus.cli.frame import EXIT_CODES, Answer, App, command

TOPICS: dict[str, str] = {
    "exit-codes": "\n".join(f"{code:>4}  {meaning}" for code, meaning in EXIT_CODES.items()),
    "environment": """\
TOCSIN_HOME         folder of config.toml (default $XDG_CONFIG_HOME/tocsin)
TOCSIN_CONTEXT      identity to act as, as --context
TOCSIN_TIMEOUT      seconds to wait for the bus, as --timeout
TOCSIN_COLOR        auto, always or never, as --color
TOCSIN_NATS_SERVER  path of the nats-server binary
NO_COLOR            any value turns colour off
XDG_STATE_HOME      where outboxes and stores live unless a context says otherwise
EDITOR              opened by tocsin bulletin draft""",
    "formatting": """\
Data goes to standard output, everything else to standard error.
--json prints one object; commands that stream print one object a line (NDJSON).
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
@click.pass_context
def help_(ctx: click.Context, _app: App, topic: str | None) -> Answer:
    """Explain TOPIC: exit-codes, environment or formatting; or any command."""
    if topic is None:
        return Answer({"topics": list(TOPICS)}, lines=[f"tocsin help {name}" for name in TOPICS])
    if topic in TOPICS:
        return Answer({"topic": topic, "text": TOPICS[topic]}, lines=TOPICS[topic].split("\n"))
    root = ctx.find_root()
    command_ = root.command.get_command(root, topic) if isinstance(root.command, click.Group) else None
    if command_ is None:
        raise click.UsageError(f"there is no topic or command {topic!r}; topics: {', '.join(TOPICS)}")
    return Answer(raw=command_.get_help(click.Context(command_, info_name=topic, parent=root)) + "\n")


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, _app: App, shell: str) -> Answer:
    """Print the completion script of SHELL; source it from your shell's start-up file."""
    shells = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    script = shells[shell](ctx.find_root().command, {}, "tocsin", "_TOCSIN_COMPLETE").source()
    return Answer({"shell": shell, "script": script}, raw=script + "\n")
