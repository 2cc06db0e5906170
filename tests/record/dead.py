"""What needs a broker, when there is none."""

from __future__ import annotations

from tests.record.desk import FREE, WITHOUT_TERMINAL, Call, Desk
from tests.record.speaking import GREEN, STRICT, again, of

TITLE = "the broker is dead"


def play(desk: Desk) -> None:
    """Run everything that connects."""
    flood = of(desk, "flood")
    soon = ("--timeout", "1")
    calls = (
        ("publish", ("drafts/flood.toml", "--again", *GREEN, "--wait", "stored=1"), None),
        ("bulletin seal", ("drafts/sealed.toml", *STRICT, "--wait", "stored=1"), None),
        ("bulletin update", (flood, "drafts/flood.toml", "--wait", "stored=1"), None),
        ("bulletin ack", (flood, *soon), "xb-hub"),
        ("heartbeat once", soon, "xa-emb"),
        ("outbox scrub", soon, None),
        ("outbox recover", ("--yes", *soon), None),
        ("outbox reanchor", soon, None),
        ("outbox receipts", soon, None),
        ("outbox status", (), None),
        ("hub scrub", soon, "xb-hub"),
        ("server check", ("broker", *soon), None),
        (
            "registry publish",
            ("next/registry.tocsin.json", "--provisioner", "broker/provisioner.nk", *soon),
            None,
        ),
        ("doctor", soon, "xb-hub"),
    )
    for form in WITHOUT_TERMINAL:
        new = again(desk, "flood", "xa-csirt", *GREEN, "--wait", "accepted")
        withdraws = (new, "It was a test.", "--wait", "stored=1")
        desk.run(
            Call(command="bulletin cancel", title=TITLE, arguments=withdraws, forms=(form,), hidden=FREE)
        )
    for command, arguments, context in calls:
        desk.run(
            Call(
                command=command,
                title=TITLE,
                arguments=arguments,
                context=context,
                forms=WITHOUT_TERMINAL,
                hidden=FREE,
            )
        )
