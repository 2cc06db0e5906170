"""Small native files that are easily read wrongly: what its expectation says of each is compared with the drafts and the losses.

The files are not part of the project. They are looked for in the folder that TOCSIN_FORMAT_CASES names, else beside the checkout. Cases
that wait for their own work are named below, with what they wait for; one of them that is right is named too, so that the list shrinks.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.plugin import FormatError, ReadContext, ReadResult, discover, translate

ROOT = Path(
    os.environ.get("TOCSIN_FORMAT_CASES")
    or Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "formats"
)
RECEIVED = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)

pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").is_file(),
    reason="the cases of formats are not here: set TOCSIN_FORMAT_CASES to their folder",
)

# What is not read rightly yet. These wait for the work on each format.
WAITING = frozenset(
    f"case-{number}"
    for number in (
        *(11, 12, 14, 16, 17, 19, 20, 23),  # MISP: links, fingerprints, times, frameworks, ranges
        37,  # STIX: frameworks
        *(42, 43, 45, 47),  # statements of reasons: areas, numbers, names of platforms
        49,  # tables of several operations
        53,  # windows that a message does not name
        *(54, 56),  # event logs: zones, headlines
        *(59, 61),  # VERIS: clocks
    )
)

Problems = list[str]
Rows = list[dict[str, Any]]


def _rows(found: ReadResult) -> Rows:
    return [json.loads(msgspec.json.encode(draft)) for draft in found.drafts]


def _words(row: dict[str, Any]) -> str:
    return json.dumps({**row, "provenance": None}, ensure_ascii=False)


def _values(rows: Rows, *, actionable: bool = False) -> set[str]:
    return {
        each["value"]
        for row in rows
        for each in row.get("observables", ())
        if each.get("actionable") or not actionable
    }


def _bodies(rows: Rows, name: str) -> list[Any]:
    return [row["body"].get(name) for row in rows]


def _countries(rows: Rows, member: str) -> set[str]:
    return {each.get("country") for row in rows for each in row.get(member) or ()}


# Condition -> what is asked of the drafts; each answers whether it holds.
ASKED: dict[str, Callable[[Rows, Any], bool]] = {
    "tlp_in": lambda rows, want: all(row.get("tlp") in want for row in rows),
    "tlp_not_in": lambda rows, want: all(row.get("tlp") not in want for row in rows),
    "audience_not": lambda rows, want: all(row.get("audience") not in want for row in rows),
    "drafts": lambda rows, want: len(rows) == want,
    "observables": lambda rows, want: sum(len(row.get("observables", ())) for row in rows) == want,
    "text_excludes": lambda rows, want: not any(each in _words(row) for row in rows for each in want),
    "text_includes": lambda rows, want: all(any(each in _words(row) for row in rows) for each in want),
    "values_exclude": lambda rows, want: not _values(rows) & set(want),
    "values_include": lambda rows, want: set(want) <= _values(rows),
    "not_actionable": lambda rows, want: not _values(rows, actionable=True) & set(want),
    "web": lambda rows, want: [row["info"][0].get("web") for row in rows] == [want],
    "first_seen": lambda rows, want: (
        want in {each.get("first_seen") for row in rows for each in row.get("observables", ())}
    ),
    "ttp": lambda rows, want: (
        {tuple(want)} == {(each["framework"], each["id"]) for row in rows for each in row.get("ttps", ())}
    ),
    "kind": lambda rows, want: {row["body"]["kind"] for row in rows} == {want},
    "kinds": lambda rows, want: sorted(row["body"]["kind"] for row in rows) == sorted(want),
    "no_onset": lambda rows, want: all(row.get("onset") is None for row in rows),
    "onset": lambda rows, want: {row.get("onset") for row in rows} == {want},
    "msg_type": lambda rows, want: {row.get("msg_type") for row in rows} == {want},
    "target_country": lambda rows, want: set(want) <= _countries(rows, "targets") | _countries(rows, "areas"),
    "areas_not_scope": lambda rows, want: (
        want not in {each["scope"] for row in rows for each in row.get("areas") or ()}
    ),
    "areas_include": lambda rows, want: set(want) <= _countries(rows, "areas"),
    "body_count": lambda rows, want: _bodies(rows, "count") == [want],
    "body_channel_count": lambda rows, want: _bodies(rows, "channel_count") == [want],
    "headline_includes": lambda rows, want: all(want in row["info"][0]["headline"] for row in rows),
    "deadlines": lambda rows, want: sum(len(row.get("deadlines", ())) for row in rows) == want,
}
EXCLUDING = {"tlp_not_in", "audience_not", "text_excludes", "values_exclude", "not_actionable"}
BESIDE = {"refused_ok", "or_refused_mentions", "or_loss_mentions", "loss_mentions", "other"}


def _problems(rows: Rows, losses: str, must: dict[str, Any]) -> Problems:
    """The conditions that do not hold, named."""
    asked = {name: want for name, want in must.items() if name not in BESIDE}
    found = []
    for name, want in asked.items():
        if name.endswith("_or_loss"):
            plural = f"{name.removeprefix('no_').removesuffix('_or_loss')}s"
            if any(row.get(plural) for row in rows) and str(want) not in losses:
                found.append(name)
        elif name not in ASKED:
            found.append(f"{name}: a condition that is not known here")
        elif not ASKED[name](rows, want):
            found.append(name)
    if found and any(each in losses for each in _listed(must.get("or_loss_mentions"))):
        found = []
    if not asked and "or_loss_mentions" in must:
        found = (
            [] if any(each in losses for each in _listed(must["or_loss_mentions"])) else ["or_loss_mentions"]
        )
    found += [
        f"no loss mentions {each}"
        for each in _listed(must.get("loss_mentions"))
        if each.lower() not in losses.lower()
    ]
    if "other" in must:
        found.append(f"to be looked at by a person: {must['other']}")
    return found


def _listed(found: Any) -> list[str]:
    return [] if found is None else [found] if isinstance(found, str) else list(found)


def _judged(path: Path) -> Problems:
    expected = json.loads(path.read_text("utf-8"))
    must = expected["must"]
    formats = {
        name: (format_, installed.adapter.manifest)
        for installed in discover()
        if installed.adapter
        for name, format_ in installed.adapter.formats.items()
    }
    (document,) = (
        each for each in ROOT.glob(f"{path.name.partition('.')[0]}.*") if ".expected." not in each.name
    )
    context = ReadContext(
        received=RECEIVED, adapter="cases", country=expected["country"], tz=expected.get("tz", "UTC")
    )
    format_, manifest = formats[expected["format"]]
    try:
        result = translate(format_, document.read_bytes(), context)
    except FormatError as refused:
        if must.get("refused_ok"):
            return []
        mentioned = _listed(must.get("or_refused_mentions"))
        said = f"{refused.reason} {refused}"
        # What is refused says nothing that must not be said.
        if all(name in EXCLUDING for name in must):
            return []
        return [] if mentioned and all(each in said for each in mentioned) else [f"refused: {said}"]
    rows = _rows(result)
    for row, draft in zip(rows, result.drafts, strict=True):
        # As it goes out: what nothing marks, by the manifest.
        if draft.tlp is None:
            row["tlp"], row["audience"] = manifest.of_unmarked(draft.kind)
    losses = "\n".join(f"{loss.path}: {loss.why}" for loss in result.losses)
    return _problems(rows, losses, must)


def test_every_case_is_right_or_waits() -> None:
    """Each expectation holds, but for the cases that wait; and none waits that is right."""
    wrong = {
        path.name.partition(".")[0]: problems
        for path in sorted(ROOT.glob("*.expected.json"))
        if (problems := _judged(path))
    }
    assert set(wrong) == WAITING, "\n".join(
        f"{name}: {'; '.join(problems)}" for name, problems in wrong.items() if name not in WAITING
    )
