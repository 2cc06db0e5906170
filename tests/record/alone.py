"""What needs no broker and no settings: help, schemas, translation, measuring, and the demonstration."""

from __future__ import annotations

from bus.cli.main import program
from tests.record.desk import WITHOUT_TERMINAL, Call, Desk
from tests.record.entries import Form, leaves

SUMMARY_S = "5"


def play(desk: Desk) -> None:
    """Record the help of every command, and what works anywhere."""
    desk.together(
        Call(command=command, arguments=("--help",), title="help", forms=(Form.PIPE,))
        for command in leaves(program)
    )
    desk.together(
        (
            *(
                Call(command="help", arguments=(topic,), title=topic)
                for topic in ("exit-codes", "environment", "formatting")
            ),
            Call(command="help", title="topics"),
            *(
                Call(command="completion", arguments=(shell,), title=shell)
                for shell in ("bash", "zsh", "fish")
            ),
            Call(command="adapter list"),
            Call(command="adapter convert", arguments=("native/portal.misp.json", "--from", "misp-event")),
            Call(command="schema export", arguments=("--name", "asyncapi"), first=40),
            Call(
                command="schema export",
                arguments=("--name", "bulletin"),
                title="the schema of bulletins",
                first=40,
            ),
            Call(command="schema export", arguments=("--out", "schemas-{form}"), title="into a folder"),
            Call(command="vocab", first=40),
            Call(command="vocab", arguments=("rsit", "ransom"), title="part of a text"),
            Call(command="vocab", arguments=("attack", "T1566"), title="an id"),
            Call(command="vocab", arguments=("attack", "T1086"), title="a former id"),
            Call(command="vocab", arguments=("rsit", "phising"), title="nothing, and the nearest"),
            Call(command="bulletin draft", arguments=("data-breach",)),
            Call(command="bulletin new", arguments=("data-breach",), forms=WITHOUT_TERMINAL),
            Call(command="explain", arguments=("R24",), title="a rule"),
            Call(command="explain", arguments=("key-revoked",), title="a reason code"),
            Call(command="explain", arguments=("rsit",), title="a vocabulary"),
            Call(
                command="bulletin draft",
                arguments=("data-breach", "--out", "draft-{form}.toml"),
                title="into a file",
            ),
            Call(
                command="bench",
                arguments=("--rounds", "1"),
                hidden={
                    r'("microseconds":|"verifications":|\t)[\d.]+': r"\1<n>",
                    r"(?m)  +[\d.]+  +[\d.]+$": "  <n>  <n>",
                },
            ),
            Call(command="config show", title="no settings", home="none", forms=WITHOUT_TERMINAL),
            Call(command="context ls", title="no settings", home="none", forms=WITHOUT_TERMINAL),
            Call(command="doctor", title="no settings", home="none", forms=WITHOUT_TERMINAL),
        )
    )
    demo = Call(
        command="demo",
        arguments=("--dir", "demo-{form}", "--for", SUMMARY_S),
        is_sorted=True,
        hidden={
            r"\bpollbook-\d+": "pollbook-<n>",
            r"demo-[0-9a-f]{8}\b": "demo-<domain>",
            r"127\.0\.0\.1:\d+": "127.0.0.1:<any port>",
        },
    )
    desk.together((demo,))
