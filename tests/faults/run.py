"""`make faults`: a cluster of three under faults by seed, with a forger at work, judged by the checker.

Exit code 1 when a promise or a bound is broken. The seed gives the same faults in the same order; what they meet is not
the same twice, so the history is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from tests.faults.checker import COUNTED, LEADER, Bounds, Verdict
from tests.faults.stage import PROXY, Stage, staged
from tests.faults.world import HUBS, SPEAKERS
from tests.support.warden import keep_watch

SPOKEN_S = 3.0
REVOKED = "xa-dsc"
SLOW = "xa-watch"
Move = Callable[[Stage, random.Random], Awaitable[None]]


def moves() -> dict[str, Move]:
    """Every fault by its name; each draws what it needs from the seed's numbers."""

    def server(rng: random.Random) -> str:
        return f"n{rng.randint(1, 3)}"

    return {
        LEADER: lambda s, r: s.kill_server(LEADER, s.leader(), r.uniform(0.2, 4)),
        "kill-server": lambda s, r: s.kill_server("kill-server", server(r), r.uniform(0.2, 4)),
        "wipe-server": lambda s, r: s.kill_server("wipe-server", server(r), r.uniform(0.2, 2), wipe=True),
        "pause-server": lambda s, r: s.pause("pause-server", server(r), r.uniform(1, 8)),
        "kill-hub": lambda s, r: s.kill_program("kill-hub", r.choice(sorted(HUBS)), r.uniform(0, 2)),
        "kill-publisher": lambda s, r: s.kill_program(
            "kill-publisher", r.choice(s.of_role("publisher")), r.uniform(0, 2)
        ),
        "cut-clients": lambda s, r: s.kill_program("cut-clients", PROXY, r.uniform(0.5, 5)),
        "half-open": lambda s, r: s.pause("half-open", PROXY, r.uniform(5, 12)),
        "slow-consumer": lambda s, r: s.pause("slow-consumer", SLOW, r.uniform(5, 12)),
    }


def schedule(rng: random.Random) -> list[str]:
    """The names of all faults, in an order of the seed; the leader's death first, for it has a bound of its own."""
    names = sorted(moves())
    rng.shuffle(names)
    names.remove(LEADER)
    return [LEADER, *names]


async def run(folder: Path, seconds: float, seed: int, rate: float) -> Verdict:
    """Speak, break and mend for so long; then let it come to rest and judge."""
    rng = random.Random(seed)
    async with staged(folder, nodes=3, speakers=sorted(SPEAKERS), rate=rate, forged=5) as stage:
        await asyncio.sleep(SPOKEN_S)
        ends = time.monotonic() + seconds
        due: list[str] = []
        half = time.monotonic() + seconds / 2
        is_revoked = False
        while True:
            due = due or schedule(rng)
            name = due.pop(0)
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {name}\n")
            sys.stdout.flush()
            began = time.monotonic()
            await moves()[name](stage, rng)
            if not is_revoked and time.monotonic() > half:
                stage.revoke(REVOKED)
                is_revoked = True
            if time.monotonic() > ends:
                break  # nothing is said after the last fault, so what arrives then is what it had held up
            if name == LEADER:  # nothing else breaks within its bound, or the silence would be of both
                await asyncio.sleep(max(0.0, began + Bounds().leader - time.monotonic()))
            await asyncio.sleep(rng.uniform(2, 5))
        await stage.finish()
        return stage.verdict()


def table(verdict: Verdict) -> str:
    """What a run came to, for a person."""
    lines = [
        f"{'accepted':<28}{verdict.accepted}",
        f"{'kept, author killed before':<28}{verdict.untold}",
        f"{'stored':<28}{verdict.stored}",
        f"{'forgeries in the stream':<28}{verdict.forgeries}",
        *(f"{name.replace('_', ' '):<28}{len(getattr(verdict, name))}" for name in COUNTED),
        f"{'out of order':<28}{sum(verdict.disordered.values())}",
        f"{'at rest after the last, s':<28}{verdict.drain:.1f}",
        "",
        f"{'fault':<20}{'times':>8}{'longest silence, s':>22}",
        *(
            f"{kind:<20}{count:>8}{verdict.gaps[kind]:>22.1f}"
            for kind, count in sorted(verdict.faults.items())
        ),
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run, print, and say whether every promise held."""
    parser = argparse.ArgumentParser(prog="make faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument(
        "--rate", type=float, default=10.0, help="bulletins a second of each of four publishers"
    )
    chosen = parser.parse_args(arguments)
    keep_watch()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-faults-")) / "run"
    again = f"make faults ARGS='--seconds {chosen.seconds:g} --seed {chosen.seed} --rate {chosen.rate:g}'"
    sys.stdout.write(f"again: {again}\nhistory: {folder / 'history'}\n")
    sys.stdout.flush()
    verdict = asyncio.run(run(folder, chosen.seconds, chosen.seed, chosen.rate))
    broken = verdict.broken(Bounds())
    sys.stdout.write(table(verdict) + "\n")
    for each in broken:
        sys.stdout.write(f"BROKEN  {each}\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
