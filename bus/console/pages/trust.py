"""Why what is shown can be relied on, and where not: the registry, contradictions, whether the bus is read."""

from __future__ import annotations

from collections.abc import Iterator

from bus.console import codes
from bus.console.asked import Asked
from bus.console.step import Step
from bus.console.texts import ago
from bus.subscribing import undecided


def trusted(asked: Asked) -> Iterator[Step]:
    """Why this page can be relied on, and where not."""
    registry, now = asked.registry, asked.now
    state = str(registry.state(now))
    beacon = registry.beacon
    told = (
        asked.say("Last confirmed %(ago)s.", ago=ago(asked.say, beacon.issued, now))
        if beacon is not None
        else asked.say("No beacon was seen.")
    )
    yield Step(
        state="pass" if state == "fresh" else "fail" if state == "expired" else "unknown",
        words=asked.say(
            "Registry %(version)s is %(state)s",
            version=registry.version,
            state=codes.in_words(asked.say, state),
        ),
        detail=told,
    )
    contested = sorted(
        {name.partition("/")[0] for name in undecided(asked.db) if asked.clearance.sees_channel(name)}
    )
    if contested:
        names = ", ".join(asked.name_of(each) for each in contested)
        yield Step(
            state="fail",
            words=asked.say("Somebody contradicts itself"),
            detail=asked.say("%(names)s. Telephone before acting on what it says.", names=names),
            address="/channels",
        )
    elif asked.clearance.audiences:
        yield Step(
            state="pass",
            words=asked.say("Nobody contradicts itself"),
            detail=asked.say("Each place holds one bulletin."),
        )
    if asked.is_blind:
        yield Step(
            state="fail",
            words=asked.say("Nobody reads the bus into this store"),
            detail=asked.say("What is shown is what was read last. Start the hub."),
            address="/system",
        )
    else:
        behind = int(asked.db.execute("SELECT coalesce(sum(pending), 0) FROM cursors").fetchone()[0])
        yield Step(
            state="pass" if behind < 100 else "wait",
            words=asked.say("The bus is read") if behind < 100 else asked.say("The bus is being read"),
            detail=asked.say("Up to what it holds.")
            if not behind
            else asked.say.many(
                "%(num)s message is still to come.", "%(num)s messages are still to come.", behind
            ),
            address="/system",
        )
