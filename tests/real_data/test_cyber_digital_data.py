"""Real public files of the cyber and digital formats: every one is read into bulletins that stand, or refused for a known reason.

The files are not part of the project. They are looked for in the folder that TOCSIN_REFERENCE_DATA names, else beside the checkout.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.formats.dsa_sor import read_dsa_sor_csv, read_dsa_sor_json
from adapters.formats.meta_threat import read_meta_threat
from adapters.formats.misp import read_misp_event
from adapters.formats.stix import read_stix
from adapters.formats.stix.patterns import PatternError, read_pattern
from adapters.translation.reading import FormatError, ReadContext, ReadResult
from schemas.bodies.foreign import Fimi
from schemas.vocab import Tlp
from tests.unit.adapters.formats.stamped import all_stand, reasons

ROOT = Path(
    os.environ.get("TOCSIN_REFERENCE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data"
)
CONTEXT = ReadContext(received=dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC), adapter="reference")
Read = Callable[[bytes, ReadContext], ReadResult]

pytestmark = pytest.mark.skipif(
    not (ROOT / "MANIFEST.md").is_file(),
    reason="the reference data is not here: set TOCSIN_REFERENCE_DATA to its folder",
)

# Format -> how it reads, the folders of its files, how many bulletins they give in all, and why files may be refused.
GROUPS: dict[str, tuple[Read, tuple[str, ...], int, frozenset[str]]] = {
    "misp-event": (
        read_misp_event,
        ("misp",),
        9,
        frozenset(
            {
                "attributes-without-event",
                "definition",
                "empty",
                "malformed",
                "not-an-event",
                "search-index",
                "unpublished",
            }
        ),
    ),
    "stix-2-1": (
        read_stix,
        ("stix", "misp/misp-stix"),
        19,
        frozenset({"catalogue-not-a-report", "empty", "malformed", "not-stix", "unsupported-version"}),
    ),
    "dsa-sor-json": (
        read_dsa_sor_json,
        ("dsa",),
        2,
        frozenset({"empty", "error-answer", "malformed", "not-a-statement"}),
    ),
    "dsa-sor-csv": (read_dsa_sor_csv, ("dsa",), 0, frozenset({"empty", "malformed-row", "unknown-layout"})),
    "meta-threat-csv": (
        read_meta_threat,
        ("fimi/meta", "fimi/viginum"),
        11,
        frozenset({"catalogue-not-a-report", "unknown-layout"}),
    ),
}


def _files(folders: tuple[str, ...]) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]


@pytest.mark.parametrize("format_id", GROUPS)
def test_every_file_is_read_or_refused(format_id: str) -> None:
    """No real file breaks a reader; the bulletins pass every rule; the refusals have the expected reasons and the counts stay."""
    read, folders, expected, known = GROUPS[format_id]
    drafts, refused = 0, set()
    for path in _files(folders):
        try:
            result = read(path.read_bytes(), CONTEXT)
        except FormatError as error:
            refused.add(error.reason)
        else:
            drafts += len(all_stand(result))
    assert refused <= known
    assert drafts == expected


def test_the_french_bundles_are_public_reports_without_persons() -> None:
    """Two published investigations: CLEAR, about manipulation, DISARM techniques named as such, nobody's account or address."""
    for name, techniques in (("big", 5), ("rrn-doppelganger", 36)):
        result = read_stix((ROOT / "stix" / "viginum" / f"{name}.json").read_bytes(), CONTEXT)
        (bulletin,) = all_stand(result)
        assert isinstance(bulletin.body, Fimi)
        assert (bulletin.tlp, bulletin.audience) == (Tlp.CLEAR, "public")
        assert len(bulletin.ttps) == techniques
        assert {ttp.framework for ttp in bulletin.ttps} == {"disarm"}
        assert not {"email-addr", "user-account"} & {o.type for o in bulletin.observables}
        assert "natural persons" in reasons(result)
        assert "stop_time" in reasons(result)


@pytest.mark.parametrize(("name", "ties", "links"), [("big", 64, 64), ("rrn-doppelganger", 594, 590)])
def test_the_ties_of_the_french_bundles_survive(name: str, ties: int, links: int) -> None:
    """All but those that lead to nothing, or were said twice; bar: 95 in a hundred. No account or person is named."""
    raw = (ROOT / "stix" / "viginum" / f"{name}.json").read_bytes()
    assert sum(each["type"] == "relationship" for each in json.loads(raw)["objects"]) == ties
    (bulletin,) = all_stand(read_stix(raw, CONTEXT))
    assert len(bulletin.links) == links >= 0.95 * ties
    assert not [
        each for each in bulletin.things if each.name and each.kind in ("account", "mailbox", "person")
    ]


def test_the_largest_table_keeps_what_is_explained() -> None:
    """Six thousand domains are cut to five hundred: first those that say which site they imitate."""
    (path,) = (ROOT / "fimi" / "meta").glob("*Doppelganger*.csv")
    (bulletin,) = all_stand(read_meta_threat(path.read_bytes(), CONTEXT))
    noted = [bool(o.note) for o in bulletin.observables]
    assert len(noted) == 500
    assert noted == sorted(noted, reverse=True)


def test_the_patterns_of_the_reference_validator_agree() -> None:
    """What the OASIS validator takes is taken, what it refuses is refused."""
    folder = ROOT / "stix" / "patterns"
    for pattern in json.loads((folder / "pass_a.json").read_text("utf-8")):
        read_pattern(pattern)
    for line in (folder / "spec_examples_21.txt").read_text("utf-8").splitlines():
        if line.strip():
            read_pattern(line.strip())
    for case in json.loads((folder / "fail_a.json").read_text("utf-8")):
        with pytest.raises(PatternError):
            read_pattern(case["pattern"])
