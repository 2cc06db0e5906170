"""The reports of the drills that an identity has conducted, in `drills` below its state folder, for its console."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from bus.drills.score import Report
from bus.storage import write_atomically

FOLDER = "drills"
MOST = 50
"""So many are kept, the newest."""
MOST_BYTES = 4 * 1024 * 1024


def keep_report(folder: Path, report: Report) -> None:
    """Keep a report, and delete the oldest beyond `MOST`.

    Args:
        folder: the state folder of the identity that has conducted it.
        report: its report.

    Raises:
        OSError: it cannot be written.
    """
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{report.started:%Y%m%dT%H%M%S%fZ}-{_of(report.exercise)}.json"
    write_atomically(place / name, msgspec.json.encode(report))
    for path in sorted(place.glob("*.json"))[:-MOST]:
        path.unlink(missing_ok=True)


def reports_of(folder: Path, exercises: Collection[str]) -> Iterator[Report]:
    """The reports of some exercises, the oldest first; what cannot be read is left out.

    Args:
        folder: the state folder of the identity that has conducted them.
        exercises: their ids.
    """
    wanted = set(map(_of, exercises))
    for path in sorted((folder / FOLDER).glob("*.json"))[-MOST:]:
        if path.stem.rpartition("-")[2] not in wanted:
            continue
        try:
            with path.open("rb") as file:
                report = msgspec.json.decode(file.read(MOST_BYTES), type=Report)
        except (OSError, ValueError, RecursionError):
            continue
        if report.exercise in exercises:
            yield report


def _of(exercise: str) -> str:
    return hashlib.sha256(exercise.encode()).hexdigest()[:16]
