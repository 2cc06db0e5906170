"""Every reference file of the electoral and data-protection formats, where a folder of them lies beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.formats.eml_nl import read_eml_nl
from adapters.formats.gdpr_art33 import read_gdpr_art33
from adapters.formats.nist_1500_101 import read_nist_1500_101
from adapters.formats.veris import read_veris
from adapters.translation.reading import FormatError, ReadContext, ReadResult
from tests.unit.adapters.formats.stamped import RECEIVED, stands_or_is_refused

ROOT = Path(os.environ.get("TOCSIN_REFERENCE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
CONTEXT = ReadContext(received=RECEIVED, adapter="test", country="XA", tz="Europe/Amsterdam")
READERS = (read_eml_nl, read_nist_1500_101, read_gdpr_art33, read_veris)

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="no folder of reference data beside the checkout")


def files(*folders: str) -> list[Path]:
    """Every file below some folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("path", files("election", "dataprotection"), ids=lambda path: path.name)
def test_each_file_stands_or_is_refused_by_every_reader(path: Path) -> None:
    """Bulletins that stand, none with a reason, or a refusal; never anything else."""
    data = path.read_bytes()
    for read in READERS:
        try:
            result = read(data, CONTEXT)
        except FormatError as refused:
            assert refused.reason
            continue
        assert isinstance(result, ReadResult)
        assert result.losses
        if result.drafts:
            stands_or_is_refused(read, data, CONTEXT)


def test_the_definitions_and_incidents_are_read() -> None:
    """The files that are what they claim to be give bulletins."""
    read = 0
    for reader, folder in ((read_eml_nl, "election/eml-nl"), (read_veris, "dataprotection/veris")):
        for path in files(folder):
            try:
                read += bool(reader(path.read_bytes(), CONTEXT).drafts)
            except FormatError:
                continue
    assert read >= 8
