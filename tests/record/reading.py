"""What two hubs and the authors read of it, and how a hub answers."""

from __future__ import annotations

from tests.record.desk import FREE, WITHOUT_TERMINAL, Call, Desk
from tests.record.entries import Form
from tests.record.speaking import hubs, of, read

# Where a line of a terminal is broken in an id depends on its letters.
_WRAPPED = {r"\s+\[(?:<id of [^>]+>|[0-9a-f-]+(?:\n +[0-9a-f-]+)?)\]": " [<id>]"}
# How many receipts hubs send depends on how many bulletins one receipt answers.
_TALK = {
    r'(?m)((?:^|")admitted(?:":|\s+))\d+': r"\1<n>",
    r"(WORLD_(?:BEAT|SYSTEM)\"?[ :])\d+": r"\1<n>",
    r"(WORLD_(?:BEAT|SYSTEM))(\s)\s*\d+\s+\d+(\s)": r"\1\2<n>\2<n>\3",
    r'("WORLD_(?:BEAT|SYSTEM)","held":)\d+(,"taken":)\d+': r"\1<n>\2<n>",
    r"(rebuilt(?: from|\":)\s?)\d+": r"\1<n>",
}


def play(desk: Desk) -> None:
    """Let the hubs read once, then read in their stores and in the outboxes."""
    with hubs(desk):
        acks(desk)
        read(desk, "xa-csirt", "flood")
    flood, sealed, sections = (of(desk, name) for name in ("flood", "sealed", "sections"))
    hub = "xb-hub"
    since = ("--since", "all", "--no-follow")
    watch = Call(command="watch", arguments=since, context=hub, is_sorted=True)
    desk.run(watch)
    desk.run(
        Call(
            command="watch",
            arguments=(*since, "--topic", "electoral"),
            title="by topic",
            context=hub,
            is_sorted=True,
        )
    )
    desk.together(
        (
            Call(command="bulletin list", hidden=_WRAPPED, context=hub, is_sorted=True),
            Call(
                command="bulletin list",
                title="of one kind",
                hidden=_WRAPPED,
                arguments=("--kind", "election-incident"),
                context=hub,
            ),
            Call(command="bulletin list", hidden=_WRAPPED, title="its own", arguments=("--mine",)),
            Call(command="bulletin show", arguments=(flood,), context=hub),
            Call(command="bulletin show", title="by digest", arguments=(of(desk, "flood", "digest"),)),
            Call(command="bulletin show", title="sections", arguments=(sections,), context=hub),
            Call(
                command="bulletin show",
                title="the file",
                arguments=(flood, "--raw"),
                context=hub,
                forms=(Form.PIPE,),
            ),
            Call(command="trace", arguments=(flood,)),
            Call(command="trace", title="at a hub", arguments=(flood,), context=hub),
            Call(command="picture", context=hub),
            Call(command="election list", context=hub),
            Call(command="election show", arguments=("xa-parl-2024",), context=hub),
            Call(
                command="election show",
                title="not ready",
                arguments=("xa-parl-2024", "--require-ready"),
                context=hub,
            ),
            Call(command="quarantine", context=hub),
            Call(command="channels", context=hub),
            Call(command="channels", title="alarms", arguments=("--alarms",), context=hub),
            Call(command="channels", title="uptime", arguments=("--uptime",), context=hub),
            Call(command="hub status", context=hub, hidden=_TALK),
            Call(command="outbox status"),
            Call(command="registry show", first=60),
            Call(command="registry show", title="one authority", arguments=("--authority", "xa-emb")),
            Call(command="registry verify"),
            Call(command="registry export", arguments=("--jwks",)),
            Call(command="doctor", context=hub, forms=WITHOUT_TERMINAL, hidden=FREE),
        )
    )
    desk.run(Call(command="answers", arguments=(flood, "--offline"), context=hub))
    desk.run(Call(command="questions", arguments=("--offline",), context=hub))
    desk.run(Call(command="clocks", arguments=("--all",), context=hub))
    desk.run(Call(command="incident list", context=hub))
    desk.run(Call(command="incident suggested", context=hub))
    desk.run(Call(command="incident show", arguments=(flood,), context=hub))
    # Said once for each form of output; a decision that stands is not decided again.
    desk.run(Call(command="incident join", arguments=(flood, sealed), context=hub))
    desk.run(Call(command="incident reject", arguments=(flood, sealed), context=hub))
    desk.run(Call(command="incident split", arguments=(flood, sealed), context=hub))
    desk.run(Call(command="incident undo", arguments=("1",), context=hub))
    # Each of these reads the bus for the same outbox, so they run one after the other.
    desk.run(Call(command="outbox receipts"))
    desk.run(Call(command="outbox receipts", title="one", arguments=(flood,)))
    desk.run(Call(command="outbox receipts", title="overdue", arguments=("--overdue", "--offline")))
    for command in ("hub rebuild", "hub prune", "hub scrub"):
        desk.run(Call(command=command, context=hub, hidden=_TALK))
    desk.run(Call(command="bulletin open", arguments=(sealed,), context=hub))
    desk.run(Call(command="bulletin open", title="sections", arguments=(sections,), context=hub))


def acks(desk: Desk) -> None:
    """Confirm by hand what a hub holds."""
    desk.run(
        Call(
            command="bulletin ack",
            arguments=(of(desk, "flood"), "--note", "told the minister"),
            context="xb-hub",
        )
    )
    # Said once for each form of output: the last one counts.
    sighting = (of(desk, "flood"), "--sighting", "Two pages here, too.", "--seen", "2")
    desk.run(Call(command="answer", arguments=sighting, context="xb-hub"))
    question = (of(desk, "flood"), "--question", "Since when?", "--within", "2h")
    desk.run(
        Call(command="answer", title="a question", arguments=question, context="xb-hub", forms=(Form.PIPE,))
    )
    wider = (of(desk, "flood"), "--dispute", "It is not so.", "--tlp", "clear")
    desk.run(Call(command="answer", title="at a wider marking", arguments=wider, context="xb-hub"))
