"""What interrupts at the console: few things, by the rules of messages, and nothing above its reader."""

from __future__ import annotations

from pathlib import Path

from bus.console import Reading
from bus.console.interrupts import alerts_after
from bus.policy import Clearance
from schemas.parts import Area
from schemas.vocab import Certainty, Severity, Tlp, Urgency
from tests.support.consoles import AUDIENCES, EVERYTHING, Speaker, fill, shelf
from tests.support.world import NOW

HOME = (Area(scope="national", country="XA"),)
WORST = {"severity": Severity.EXTREME, "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED}


async def told(path: Path, clearance: Clearance) -> list[tuple[str, int, str]]:
    """What interrupts somebody, of all that the store has."""
    async with Reading.open(path, shelf()) as reading:
        found = await reading.ask(lambda db: alerts_after(db, shelf(), clearance, 0, NOW))
    return [(each.why, each.priority, each.title) for each in found]


async def test_only_what_is_gravest_interrupts_and_nothing_above_its_reader(tmp_path: Path) -> None:
    """A bulletin of priority 1 that one may read does; others wait in the lists."""
    path = tmp_path / "store.db"
    emb, csirt = (
        Speaker("xa-emb", areas=HOME),
        Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts", areas=HOME),
    )
    emb.say("Network of accounts", 400)
    emb.say("Polling places are closed by a false order", 300, **WORST)
    csirt.say("The tabulation server is encrypted", 200, **WORST)
    await fill(path, [*emb.made, *csirt.made])
    every = await told(path, EVERYTHING)
    assert every == [
        ("priority 1", 1, "Polling places are closed by a false order"),
        ("priority 1", 1, "The tabulation server is encrypted"),
    ]
    assert await told(path, Clearance(Tlp.GREEN, AUDIENCES)) == every[:1]
    assert await told(path, Clearance(Tlp.RED, frozenset())) == []
