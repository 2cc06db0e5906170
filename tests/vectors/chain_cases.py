"""The chain vectors: what is held of one channel, one more bulletin, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bus.admission.chain import REFUSED, Link, Outcome
from schemas.codec import digest

Case = tuple[str, list[Link], Link, Outcome]


def link(seq: int, name: str = "", prev: str | None = "", number: int | None = None) -> Link:
    """The bulletin with a number; by default the one that continues the good chain."""
    before = None if seq == 1 else digest(f"bulletin {seq - 1}".encode())
    return Link(
        seq=seq,
        digest=digest(f"bulletin {seq}{name}".encode()),
        prev=before if prev == "" else prev,
        id=f"0196fe2f-9be0-7000-8000-{seq if number is None else number:012x}",
    )


def cases() -> Iterator[Case]:
    """Comment, what is held, the bulletin, where it stands."""
    one, two, three, four = (link(seq) for seq in (1, 2, 3, 4))
    stray = digest(b"another history")
    yield "the first of all", [], one, Outcome.NEXT
    yield "right after the head", [one, two], three, Outcome.NEXT
    yield "the first one seen is not number one", [], three, Outcome.TRIMMED
    yield "a hole before it", [one], three, Outcome.GAP
    yield "a hole filled", [one, three], two, Outcome.FILLS
    yield "before the first one seen", [three, four], two, Outcome.FILLS
    yield "the same again", [one, two], two, Outcome.DUPLICATE
    yield "the same again, long after", [one, two, three, four], one, Outcome.DUPLICATE
    yield "another bulletin at its place", [one, two], link(2, " in other words", number=9), Outcome.FORK
    yield "another bulletin at its place, with its id", [one, two], link(2, " in other words"), Outcome.FORK
    yield "another number one", [one], link(1, " in other words", number=9), Outcome.FORK
    yield "its id used before", [one, two], link(3, number=1), Outcome.REPLAYED_ID
    yield "its id used beyond a hole", [one], link(3, number=1), Outcome.REPLAYED_ID
    yield "another predecessor than the one held", [one, two], link(3, prev=stray), Outcome.BROKEN_CHAIN
    yield "fills a hole, after another predecessor", [one, three], link(2, prev=stray), Outcome.BROKEN_CHAIN
    yield "fills a hole, before another successor", [one, link(3, prev=stray)], two, Outcome.BROKEN_CHAIN
    yield (
        "an id used before and another predecessor",
        [one, two],
        link(3, prev=stray, number=1),
        Outcome.REPLAYED_ID,
    )


def group() -> dict[str, Any]:
    """The one group."""
    tests = [
        {
            "tcId": n,
            "comment": comment,
            "flags": ["Refused" if found in REFUSED else "Good"],
            "held": [_members(each) for each in held],
            "link": _members(added),
            "outcome": str(found),
            "result": "invalid" if found in REFUSED else "valid",
            "reason": str(found) if found in REFUSED else "",
        }
        for n, (comment, held, added, found) in enumerate(cases(), 1)
    ]
    return {"type": "Chain", "tests": tests}


def _members(each: Link) -> dict[str, Any]:
    return {"seq": each.seq, "digest": each.digest, "prev": each.prev, "id": each.id}
