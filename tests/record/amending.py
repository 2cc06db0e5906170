"""Changes of what was said, drills, upkeep of an outbox, and the life of keys and of the registry."""

from __future__ import annotations

from tests.record.desk import Call, Desk
from tests.record.entries import Form
from tests.record.founding import REGISTRY
from tests.record.speaking import GREEN, again, of

PIPE = (Form.PIPE,)


def play(desk: Desk) -> None:
    """Update, withdraw, endorse; rehearse; keep an outbox; end a key; take in the next version."""
    flood = of(desk, "flood")
    for form in (Form.PIPE, Form.JSON, Form.TERMINAL):
        desk.run(
            Call(command="bulletin update", arguments=(flood, "drafts/flood-goes-on.toml"), forms=(form,))
        )
    phishing = ""
    for form in (Form.PIPE, Form.JSON, Form.TERMINAL):
        phishing = again(desk, "phishing", "xb-csirt", *GREEN)
        reason = (phishing, "It was a test.")
        desk.run(Call(command="bulletin cancel", arguments=reason, context="xb-csirt", forms=(form,)))
    for command, rest in (("bulletin cancel", "It was a test."), ("bulletin update", "drafts/phishing.toml")):
        desk.run(
            Call(command=command, title="withdrawn already", arguments=(phishing, rest), context="xb-csirt")
        )
    raw = desk.ask(
        Call(command="bulletin show", arguments=(flood, "--raw"), context="xb-hub", forms=PIPE)
    ).stdout
    desk.write("flood.tocsin.json", raw)
    desk.run(Call(command="verify", arguments=("flood.tocsin.json",), context="xb-hub"))
    out = ("flood.tocsin.json", "--out", "endorsed-{form}.json")
    desk.run(Call(command="bulletin endorse", arguments=out, context="xb-csirt"))
    desk.run(
        Call(command="verify", title="an endorsed one", arguments=("endorsed-{form}.json",), context="xb-hub")
    )
    drills(desk)
    for command in ("outbox scrub", "outbox prune", "outbox retry", "outbox reanchor"):
        desk.run(Call(command=command))
    desk.run(Call(command="outbox recover", arguments=("--yes",)))
    registry(desk)


def drills(desk: Desk) -> None:
    """Rehearse a script, play it without an answer, ask for a check, and answer it."""
    hub = "xa-hub"
    for form in (Form.PIPE, Form.JSON, Form.TERMINAL):
        (desk.folder / f"drill-{form}").mkdir()
        (desk.folder / f"comcheck-{form}").mkdir()
    desk.run(
        Call(
            command="drill run", title="a rehearsal", arguments=("drills/drill.toml", "--check"), context=hub
        )
    )
    desk.run(
        Call(
            command="drill run",
            title="nobody answers",
            arguments=("drills/drill.toml", "--out", "drill-{form}"),
            context=hub,
        )
    )
    check = (
        "--as",
        "xa-csirt",
        "--within",
        "2",
        "--expect",
        "xb-csirt",
        "--exercise",
        "check",
        "--out",
        "comcheck-{form}",
    )
    desk.run(Call(command="drill comcheck", title="nobody answers", arguments=check, context=hub))
    answer = (of(desk, "flood"), "--exercise", "check", "--verdict", "ack", "--text", "Heard.", *GREEN)
    desk.run(Call(command="drill answer", arguments=answer, context="xb-csirt"))


def registry(desk: Desk) -> None:
    """Propose the next versions, sign one, take it in and publish it; end a key by a statement."""
    ended = ("--revoke", of(desk, "xa-hub.seal", "kid"))
    proposals = (
        Call(command="registry rotate", arguments=(REGISTRY, "xa-csirt", "--key", "xa-csirt-next.jwk", "--out", "rotated-{form}.json")),
        Call(command="registry revoke", arguments=(REGISTRY, "xb-csirt", "--yes", "--out", "revoked-{form}.json")),
        Call(command="registry seal-key", title="the end of one", arguments=(REGISTRY, "xa-hub", *ended, "--out", "seal-ended-{form}.json")),
    )  # fmt: skip
    for proposal in proposals:
        desk.run(proposal)
    # The proposal is signed in a folder of its own, so that the version that stands stays where the contexts read it.
    desk.write("next/registry.tocsin.json", (desk.folder / REGISTRY).read_text())
    file = "next/registry.tocsin.json"
    desk.run(
        Call(
            command="registry grant",
            title="the next version",
            arguments=(file, "xa-emb", "--read", "green:community"),
            forms=PIPE,
        )
    )
    for root in ("root-a", "root-b"):
        secret = ("--key", f"{root}.pem", "--passphrase-file", f"{root}.pass")
        desk.run(
            Call(command="registry sign", title="the next version", arguments=(file, *secret), forms=PIPE)
        )
    desk.run(Call(command="registry verify", title="the step", arguments=(file, "--previous", REGISTRY)))
    desk.run(Call(command="registry accept", arguments=(file,)))
    provisioner = ("--provisioner", "broker/provisioner.nk")
    desk.run(Call(command="registry publish", arguments=(file, *provisioner)))
    statement = ("--out", "statement-{form}.json", "--yes")
    desk.run(Call(command="key revoke", arguments=statement, context="xb-csirt"))
    desk.run(
        Call(
            command="registry accept",
            title="a statement",
            arguments=("statement-pipe.json",),
            context="xb-csirt",
        )
    )
    desk.run(
        Call(
            command="registry publish",
            title="a statement",
            arguments=("statement-pipe.json",),
            context="xb-csirt",
        )
    )
