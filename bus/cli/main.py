"""The program `tocsin`: which module holds each command, imported only when asked for, and how the program ends."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from bus.cli.frame import (
    DONE,
    FAILURE,
    INTERRUPTED,
    USAGE,
    App,
    Group,
    exit_code,
    global_options,
    load,
    safe,
    safe_json,
)
from schemas.errors import TocsinError

COMPLETION = "_TOCSIN_COMPLETE"
"""The variable in which a shell asks for completions."""

# name -> (module, attribute, one line of help). The help stands here so that `--help` imports no command.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("bus.cli.developer.demo", "demo", "the whole system on this machine, from nothing"),
    "publish": ("bus.cli.officer.publish", "publish", "sign drafts and send them as bulletins"),
    "watch": ("bus.cli.analyst.watch", "watch", "show bulletins as they arrive, by topic, verified"),
    "verify": ("bus.cli.analyst.verify", "verify", "check a bulletin file offline: who signed, which key"),
    "bulletin": ("bus.cli.officer.bulletin", "bulletin", "draft, check, show, list bulletins"),
    "audiences": ("bus.cli.officer.audiences", "audiences", "audiences we may publish to, with markings"),
    "explain": ("bus.cli.officer.explain", "explain", "what a rule asks for, or a reason code means"),
    "preview": ("bus.cli.officer.preview", "preview", "exactly who could read a draft"),
    "trace": ("bus.cli.analyst.trace", "trace", "the whole life of one bulletin"),
    "answer": ("bus.cli.analyst.answer", "answer", "answer a bulletin of another authority"),
    "answers": ("bus.cli.analyst.answers", "answers", "what others answered to our bulletins"),
    "questions": ("bus.cli.analyst.answers", "questions", "open questions: asked by, owner, due"),
    "clocks": ("bus.cli.analyst.clocks", "clocks", "deadlines: what is due when, and from whom"),
    "incident": ("bus.cli.analyst.incident", "incident", "bulletins that belong together, and may"),
    "channels": ("bus.cli.analyst.picture", "channels", "every channel: live, late, silent; gaps and forks"),
    "picture": ("bus.cli.analyst.picture", "picture", "the situation now"),
    "election": ("bus.cli.analyst.election", "election", "calendars, phases, readiness for the vote"),
    "quarantine": ("bus.cli.analyst.picture", "quarantine", "what was refused, and why"),
    "key": ("bus.cli.registrar.key", "key", "signing keys and transport keys"),
    "registry": (
        "bus.cli.registrar.registry",
        "registry",
        "the signed trust registry: who may say and read what",
    ),
    "server": ("bus.cli.operator.server", "server", "the broker: configuration, start, checks"),
    "hub": ("bus.cli.operator.hub", "hub", "a national hub: run, status, decide, scrub, rebuild"),
    "notify": ("bus.cli.operator.notify", "notify", "tell people: webhooks, mail, Matrix, Mattermost"),
    "service": ("bus.cli.operator.service", "service", "systemd units for programs that always run"),
    "backup": ("bus.cli.operator.backup", "backup", "one archive of a context, made while its programs run"),
    "restore": ("bus.cli.operator.backup", "restore", "restore a context from an archive"),
    "drill": ("bus.cli.operator.drill", "drill", "exercises on the real path, and their score"),
    "bundle": ("bus.cli.operator.bundle", "bundle", "over an air gap: registry and bulletins in one file"),
    "audit": ("bus.cli.operator.audit", "audit", "what this identity refused, signed, took in and opened"),
    "people": ("bus.cli.operator.people", "people", "people of the console: roles, tokens, sessions, trail"),
    "outbox": ("bus.cli.officer.outbox", "outbox", "what is not sent yet; recovery"),
    "heartbeat": ("bus.cli.officer.heartbeat", "heartbeat", "tell readers that this authority is reachable"),
    "adapter": ("bus.cli.developer.adapter", "adapter", "join an authority's own systems"),
    "schema": ("bus.cli.developer.schema", "schema", "JSON Schema and AsyncAPI of the wire contract"),
    "vocab": ("bus.cli.developer.vocab", "vocab", "words of the vocabularies; current ids for former ones"),
    "bench": ("bus.cli.developer.bench", "bench", "what single steps cost on this machine"),
    "doctor": ("bus.cli.operator.doctor", "doctor", "what is wrong here, and the command that repairs it"),
    "context": ("bus.cli.operator.context", "context", "identities: list, use, add"),
    "config": ("bus.cli.operator.context", "config", "settings and where each came from"),
    "completion": ("bus.cli.developer.help", "completion", "shell completion for bash, zsh, fish"),
    "help": ("bus.cli.developer.help", "help_", "topics: exit-codes, environment, formatting"),
}

# role -> heading of its commands in the help; they are those of the README. A command's role is the room of its module.
ROLES = {
    "officer": "Officers publish",
    "analyst": "Analysts read, check and answer",
    "operator": "Operators keep hubs and brokers running",
    "registrar": "Registrars and root keepers found and sign the registry",
    "developer": "Developers join one more system",
}

# group -> command -> (module, attribute), where the command stands in another module than its group; a group is made of
# commands of several roles, and no role knows another.
SUBCOMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "bulletin": {
        "new": ("bus.cli.officer.compose", "new"),
        "draft": ("bus.cli.officer.compose", "draft"),
        "ack": ("bus.cli.analyst.ack", "ack"),
        "proof": ("bus.cli.analyst.proof", "export_fork"),
        "update": ("bus.cli.officer.amend", "update"),
        "cancel": ("bus.cli.officer.amend", "cancel"),
        "endorse": ("bus.cli.officer.endorse", "endorse"),
        "seal": ("bus.cli.officer.seal", "seal"),
        "open": ("bus.cli.officer.seal", "open_"),
    },
    "people": {"link": ("bus.cli.operator.people_link", "link")},
    "outbox": {"receipts": ("bus.cli.officer.receipts", "receipts")},
    "registry": {
        "audience": ("bus.cli.registrar.audiences", "set_audience"),
        "holidays": ("bus.cli.registrar.holidays", "holidays"),
        "join": ("bus.cli.registrar.audiences", "join"),
        "leave": ("bus.cli.registrar.audiences", "leave"),
        "rotate": ("bus.cli.registrar.rotate", "rotate"),
        "revoke": ("bus.cli.registrar.rotate", "revoke"),
        "keep": ("bus.cli.registrar.keep", "keep"),
        "export": ("bus.cli.registrar.rotate", "export"),
        "accept": ("bus.cli.registrar.publish", "accept"),
        "publish": ("bus.cli.registrar.publish", "publish"),
        "show": ("bus.cli.registrar.show", "show"),
        "verify": ("bus.cli.registrar.show", "verify"),
        "seal-key": ("bus.cli.registrar.seal_keys", "seal_key"),
        "seal-policy": ("bus.cli.registrar.seal_keys", "seal_policy"),
    },
}


def role_of(module: str) -> str:
    """The role of a command: the room (`officer`, `analyst`, ...) of its module."""
    return module.split(".")[2]


class ReaderGoneError(Exception):
    """The reader of our output has closed the pipe, as `head` does when it has enough."""


class Program(Group):
    """A group whose commands are imported when first used."""

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, but a closed pipe is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGoneError from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """As click does, but the commands come from the table, which loads none of them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text)
            for name, (_, _, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of daily use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; of a group, its own module only."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = load(module, attribute)
        if isinstance(command, Group):
            command.elsewhere = SUBCOMMANDS.get(cmd_name, {})
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands of each role, from the tables above alone."""
        width = max(map(len, COMMANDS))
        for role, title in ROLES.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), text)
                        for name, (module, _, text) in COMMANDS.items()
                        if role_of(module) == role
                    ]
                )


@click.group(
    cls=Program, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None}
)
@click.version_option(package_name="tocsin", prog_name="tocsin")
@global_options
@click.pass_context
def program(ctx: click.Context) -> None:
    """Signed threat bulletins between authorities, before, during and after elections."""
    ctx.ensure_object(App)


def _failure(exc: Exception) -> tuple[int, str, str]:
    """Exit code, reason and sentence of an error; the reason is `bug` for an unexpected one."""
    if isinstance(exc, OSError):
        return FAILURE, "system", _of_system(exc)
    if isinstance(exc, MemoryError) or (isinstance(exc, ImportError) and "failed to map" in str(exc)):
        return (
            FAILURE,
            "no-memory",
            "the system gives no more memory; give this program more, then run it again",
        )
    if isinstance(exc, RuntimeError) and "start new thread" in str(exc):
        return FAILURE, "system", "the system gives no more threads; raise the limits of processes and memory"
    if isinstance(exc, TocsinError):
        return exit_code(exc), exc.reason, str(exc)
    what = f"{type(exc).__name__}: {exc}"
    return FAILURE, "bug", f"this is a bug in tocsin: {what} (run again with -v for the details)"


def _of_system(exc: OSError) -> str:
    """A sentence for an error of the operating system, with what to do next."""
    remedy = {
        errno.ENOSPC: "make room on the disk, then run it again",
        errno.EDQUOT: "make room on the disk, then run it again",
        errno.EROFS: "choose a folder that can be written to",
        errno.EACCES: "check who owns it and its permissions",
        errno.EPERM: "check who owns it and its permissions",
        errno.ENOENT: "check the path",
        errno.ENOTDIR: "check the path",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
        errno.ENFILE: "raise the limit of open files (fs.file-max)",
        errno.ENOMEM: "give this program more memory, then run it again",
    }.get(exc.errno or 0, "check the path, the disk and the permissions")
    where = f"{exc.filename2 or exc.filename}: " if exc.filename else ""
    return f"{where}{exc.strerror or exc}; {remedy}"


def _outputs() -> None:
    """Make the output streams write an escape for each character that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(args: Sequence[str] | None = None) -> None:
    """Run the program and end the process with the documented exit code."""
    app = App()
    _outputs()
    if os.environ.get(COMPLETION):
        sys.exit(_complete(app))
    try:
        outcome: Any = program.main(args=args, prog_name="tocsin", standalone_mode=False, obj=app)
        code = outcome if isinstance(outcome, int) else DONE
    except click.exceptions.Exit as exc:
        code = exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _say(app, INTERRUPTED, "interrupted", "interrupted")
    except click.UsageError as exc:
        where = f" (see: {exc.ctx.command_path} --help)" if exc.ctx else ""
        code = _say(app, USAGE, "usage", f"{exc.format_message()}{where}")
    except click.ClickException as exc:
        code = _say(app, exc.exit_code, "failure", exc.format_message())
    except ReaderGoneError:
        # End without a message; the interpreter must not complain either when it closes its files.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except Exception as exc:
        code, reason, text = _failure(exc)
        if reason == "bug" and app.verbosity > 0:
            raise
        _say(app, code, reason, text, exc)
    finally:
        if app.outlets is not None:
            app.outlets.close()
    sys.exit(code)


def _complete(app: App) -> int:
    """Answer a shell that asks for completions. Its user is typing a line, so errors are not printed."""
    try:
        program.main(args=[], prog_name="tocsin", complete_var=COMPLETION, standalone_mode=False, obj=app)
    except Exception:  # noqa: BLE001
        return FAILURE
    return DONE


def _say(app: App, code: int, reason: str, text: str, exc: Exception | None = None) -> int:
    """One error on standard error, as a sentence, or as JSON when JSON was asked for.

    A person sees all that the error tells, such as each fault of a draft with its line.
    """
    # A wrong flag ends the parsing before --json has been seen.
    if app.json or "--json" in sys.argv[1:]:
        import msgspec

        # A file name may hold bytes that are not text.
        told = text.encode("utf-8", "backslashreplace").decode()
        error = {"reason": reason, "text": told, "exit_code": code}
        click.echo(safe_json(msgspec.json.encode({"error": error}).decode()), err=True)
    else:
        for line in getattr(exc, "told", ()):
            click.echo(safe(line), err=True)
        text = getattr(exc, "brief", text)
        code_word = f" [{reason}]" if reason not in ("usage", "failure", "interrupted") else ""
        click.echo(f"tocsin: {safe(text)}{code_word}", err=True)
    return code
