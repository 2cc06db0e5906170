"""`python -m tests.programs`: whole programs under faults by seed, judged by the checker.

Exit code 1 when a promise is broken. The seed gives the same faults in the same order; what they meet is not the same
twice, so the folder is kept, with every log and the history.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.checker import COUNTED
from tests.programs.faults import KILLS, KINDS, Kind, done_to, drawn
from tests.programs.judging import Outcome
from tests.programs.stage import staged, traffic
from tests.support.warden import keep_watch

PAUSE_S = (0.2, 1.2)
RATE = 0.5


def kinds_of(words: list[str]) -> dict[str, Kind]:
    """The kinds that are meant: `kill`, `all`, or their names."""
    found: dict[str, Kind] = {}
    for word in words:
        group = {"kill": KILLS, "all": KINDS}.get(word)
        found |= group if group is not None else {word: KINDS[word]}
    return found


async def run(folder: Path, rounds: int, seed: int, kinds: dict[str, Kind]) -> Outcome:
    """Speak, break and mend so often; then let it come to rest and judge."""
    rng = random.Random(seed)
    async with staged(folder, seed, disks=kinds is not KILLS) as stage:
        async with traffic(stage, RATE):
            for number, (name, own) in enumerate(drawn(kinds, rounds, rng), 1):
                say(f"{time.strftime('%H:%M:%S')}  {number:>4}  {name}")
                await done_to(stage, name, own)
                await asyncio.sleep(rng.uniform(*PAUSE_S))
        say(f"{time.strftime('%H:%M:%S')}  at rest?")
        return await stage.finish()


def table(outcome: Outcome) -> str:
    """What a run came to, for a person."""
    verdict = outcome.verdict
    lines = [
        f"{'accepted':<28}{verdict.accepted}",
        f"{'kept, author killed before':<28}{verdict.untold}",
        f"{'stored':<28}{verdict.stored}",
        f"{'documents, bulletins of them':<28}{outcome.offered}, {outcome.made}",
        *(f"{name.replace('_', ' '):<28}{len(getattr(verdict, name))}" for name in COUNTED),
        f"{'out of order':<28}{sum(verdict.disordered.values())}",
        f"{'ended by themselves':<28}{len(outcome.ended)}",
        f"{'falsely green':<28}{len(outcome.green)}",
        f"{'not said':<28}{len(outcome.unsaid)}",
        "",
        *(f"{kind:<28}{count}" for kind, count in sorted(verdict.faults.items())),
    ]
    return "\n".join(lines)


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run, print, and say whether every promise held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.programs", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument(
        "--kinds", nargs="+", default=["kill"], choices=["kill", "all", *sorted(KINDS)], metavar="KIND"
    )
    chosen = parser.parse_args(arguments)
    keep_watch()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-programs-")) / "run"
    kinds = KILLS if chosen.kinds == ["kill"] else kinds_of(chosen.kinds)
    again = f"python -m tests.programs --rounds {chosen.rounds} --seed {chosen.seed} --kinds {' '.join(chosen.kinds)}"
    say(f"again: {again}\nfolder: {folder}")
    began = time.monotonic()
    outcome = asyncio.run(run(folder, chosen.rounds, chosen.seed, kinds))
    broken = outcome.broken()
    say(f"{table(outcome)}\n{'seconds':<28}{time.monotonic() - began:.0f}")
    for each, count in Counter(broken).items():
        say(f"BROKEN  {each}" + (f" (x{count})" if count > 1 else ""))
    if broken:
        say(f"again: {again}\nfolder: {folder}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
