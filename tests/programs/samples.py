"""What programs take up: memory, descriptors and files, sampled from /proc, held to bounds, and as a table. The judgement is pure."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

QUARTERS = 4


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One program at one moment."""

    at: float
    """Seconds since the beginning."""
    name: str
    rss_mb: float
    descriptors: int
    files: int
    """In the folder where it keeps its state."""
    size_mb: float
    """Of those files."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may take up."""

    most_mb: float
    """Of memory, at any moment."""
    grows_mb_per_hour: float
    """Of memory, from the middle of the second quarter to that of the last: what a leak would exceed."""
    settles_mb: float = 4.0
    """Of memory beyond that, however short the run: caches that fill, and what the allocator makes of them."""
    more_descriptors: int = 4
    """In the last quarter beyond the most in the second."""
    more_files: int = 4
    """The same of files."""


def taken(at: float, name: str, pid: int, folder: Path | None) -> Sample | None:
    """A sample of a process; None when it is not there."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return None
    rss = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    sizes = list(_sizes(folder)) if folder is not None and folder.exists() else []
    return Sample(
        at=at,
        name=name,
        rss_mb=rss / 1024,
        descriptors=descriptors,
        files=len(sizes),
        size_mb=sum(sizes) / 1024**2,
    )


def _sizes(folder: Path) -> Iterable[int]:
    for place, _, names in os.walk(folder):  # what was deleted just now is passed over
        for name in names:
            with contextlib.suppress(OSError):
                yield (Path(place) / name).stat().st_size


def quarters(samples: Sequence[Sample], ends: float) -> list[list[Sample]]:
    """The samples by quarter of the whole time."""
    found: list[list[Sample]] = [[] for _ in range(QUARTERS)]
    for each in samples:
        found[min(QUARTERS - 1, int(each.at / ends * QUARTERS))].append(each)
    return found


def broken(samples: Iterable[Sample], ends: float, bounds: dict[str, Bounds]) -> list[str]:
    """Which bounds were exceeded, each in a sentence.

    Args:
        samples: of all programs.
        ends: seconds from the beginning to the end.
        bounds: by the name of the program; one without is not judged.
    """
    by_name: defaultdict[str, list[Sample]] = defaultdict(list)
    for each in samples:
        by_name[each.name].append(each)
    found = [f"{name} was never seen" for name in bounds if name not in by_name]
    for name, own in sorted(by_name.items()):
        if (bound := bounds.get(name)) is None:
            continue
        most = max(each.rss_mb for each in own)
        if most > bound.most_mb:
            found.append(f"{name} took {most:.0f} MB, more than {bound.most_mb:.0f}")
        _, second, _, last = quarters(own, ends)
        if not second or not last:
            found.append(f"{name} was not seen in its second or its last quarter")
            continue
        # Two quarters lie between the middles of these two.
        hours = ends / 3600.0 * 2 / QUARTERS
        grown = _mean(last) - _mean(second)
        if grown > (most := bound.settles_mb + bound.grows_mb_per_hour * hours):
            found.append(
                f"{name} grew by {grown:.1f} MB from its second quarter to its last, more than {most:.1f}"
            )
        for what, more in (("descriptors", bound.more_descriptors), ("files", bound.more_files)):
            before = max(getattr(each, what) for each in second)
            after = max(getattr(each, what) for each in last)
            if after > before + more:
                found.append(f"{name} had {before} {what} in its second quarter and {after} in its last")
    return found


def _mean(samples: Sequence[Sample]) -> float:
    return sum(each.rss_mb for each in samples) / len(samples)


def table(samples: Sequence[Sample], ends: float) -> str:
    """Mean and most memory, most descriptors and files, by program and quarter, for a person."""
    names = sorted({each.name for each in samples})
    head = "".join(f"{f'quarter {n + 1}':>26}" for n in range(QUARTERS))
    lines = [
        f"RSS in MB, mean and most; descriptors; files and their MB; a quarter is {ends / QUARTERS / 60:.1f} min",
        f"{'program':<16}{head}",
    ]
    for name in names:
        cells = ""
        for own in quarters([each for each in samples if each.name == name], ends):
            if not own:
                cells += f"{'-':>26}"
                continue
            most = max(each.rss_mb for each in own)
            files = max(each.files for each in own)
            cells += f"{f'{_mean(own):.0f} {most:.0f}; {max(each.descriptors for each in own)}; {files} {own[-1].size_mb:.0f}':>26}"
        lines.append(f"{name:<16}{cells}")
    return "\n".join(lines)
