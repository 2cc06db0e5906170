"""What authorities say while two hubs read: bulletins, heartbeats, an adapter, and a hub's own output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.record.desk import ALL_FORMS, Call, Desk
from tests.record.entries import Form
from tests.record.process import RunError

PIPE, JSON = (Form.PIPE,), (Form.JSON,)
PATIENCE_S = 60.0
GREEN = ("--tlp", "green", "--audience", "community")
STRICT = ("--tlp", "amber+strict", "--audience", "eu-csirts")


def say(desk: Desk, name: str, context: str, *options: str) -> None:
    """Publish a draft unrecorded, and name its id and digest."""
    call = Call(
        command="publish", arguments=(f"drafts/{name}.toml", "--again", *options), context=context, forms=JSON
    )
    said = json.loads(desk.ask(call).stdout)
    desk.name(said["id"], f"id of {name}")
    desk.name(said["digest"], f"digest of {name}")


def again(desk: Desk, name: str, context: str, *options: str) -> str:
    """Publish a draft once more, unrecorded; its id. What is withdrawn is withdrawn once."""
    say(desk, name, context, *options)
    return [value for value, placeholder in desk.names.items() if placeholder == f"id of {name}"][-1]


def of(desk: Desk, name: str, what: str = "id") -> str:
    """The id, or the digest, of a bulletin of the scene."""
    return next(value for value, placeholder in desk.names.items() if placeholder == f"{what} of {name}")


@contextmanager
def hubs(desk: Desk) -> Iterator[None]:
    """Run both hubs while the block lasts, and record what they print.

    The hub of XB begins when the hub of XA has received everything, so the order of their receipts is fixed. The order in
    which a hub admits what two authorities have said is not; its lines are sorted.
    """
    one, two = (
        Call(command="hub run", title=f"{hub} reads", context=hub, is_sorted=True)
        for hub in ("xa-hub", "xb-hub")
    )
    with desk.beside(one, Form.PIPE, ""):
        received(desk, "xa-hub")
        with desk.beside(two, Form.JSON, ""):
            received(desk, "xb-hub")
            yield


def until(desk: Desk, call: Call, holds: Callable[[list[Any]], bool]) -> None:
    """Ask until the lines of an answer in JSON are as wanted.

    Raises:
        RunError: it does not come.
    """
    deadline = time.monotonic() + PATIENCE_S
    answer = ""
    while time.monotonic() < deadline:
        try:
            answer = desk.ask(call).stdout
        except RunError as exc:
            answer = str(exc)
        else:
            if holds([json.loads(line) for line in answer.splitlines()]):
                return
        time.sleep(0.1)
    raise RunError(f"{call}: {answer}")


def received(desk: Desk, hub: str) -> None:
    """Wait until every author knows that a hub has received everything that it has said."""
    for author in ("xa-emb", "xa-csirt", "xb-csirt"):
        until(
            desk,
            Call(command="outbox receipts", context=author, forms=JSON),
            lambda rows: all(
                any(reader["reader"] == hub and reader["received"] for reader in row["readers"])
                for row in rows
            ),
        )


def read(desk: Desk, context: str, name: str) -> None:
    """Wait until an author knows that a person at a hub has read a bulletin."""
    call = Call(command="outbox receipts", arguments=(of(desk, name),), context=context, forms=JSON)
    until(desk, call, lambda rows: any(reader["read"] for reader in rows[0]["readers"]))


def play(desk: Desk) -> None:
    """Say everything that is read later, each bulletin after the one before is stored."""
    marked = ("drafts/flood.toml", *GREEN)
    desk.together(
        (
            Call(command="bulletin check", arguments=("drafts/marked.toml",)),
            Call(command="audiences"),
            Call(command="audiences", arguments=("eu-csirts",), title="one"),
            Call(command="preview", arguments=marked),
            Call(command="preview", arguments=("drafts/sections.toml", *GREEN), title="sections"),
            Call(command="publish", arguments=(*marked, "--dry-run"), title="dry run"),
        )
    )
    for name, context, options in (
        ("calendar", "xa-emb", GREEN),
        ("false-date", "xa-emb", GREEN),
        ("flood", "xa-csirt", GREEN),
        ("phishing", "xb-csirt", GREEN),
        ("scan", "xb-csirt", STRICT),
        ("sections", "xa-csirt", GREEN),
    ):
        say(desk, name, context, *options)
    desk.run(Call(command="publish", arguments=("drafts/flood-goes-on.toml", *GREEN)))
    desk.run(Call(command="bulletin seal", arguments=("drafts/sealed.toml", *STRICT)))
    sealed = desk.ask(Call(command="bulletin list", arguments=("--mine", "--limit", "1"), forms=JSON)).stdout
    newest = json.loads(sealed.splitlines()[0])
    newest = newest[0] if isinstance(newest, list) else newest
    desk.name(newest["id"], "id of sealed")
    desk.name(newest["digest"], "digest of sealed")
    misp = (desk.folder / "native/portal.misp.json").read_text()
    desk.run(Call(command="adapter run", arguments=("cyber", "--stdin"), stdin=misp, context="xb-csirt"))
    for form in ALL_FORMS:
        desk.write(f"spool-{form}/in/portal.json", misp)
    spool = Call(
        command="adapter run",
        title="a spool",
        arguments=("cyber", "--spool", "spool-{form}"),
        context="xb-csirt",
        stop_at="end with Ctrl-C",
        stop_file="spool-{form}/done/portal.json.report.json",
    )
    desk.run(spool)
    desk.run(Call(command="heartbeat run", context="xa-emb", stop_at="end with Ctrl-C"))
    for context in ("xa-emb", "xb-csirt"):
        desk.ask(Call(command="heartbeat once", context=context, forms=PIPE))
    desk.run(Call(command="heartbeat once"))
