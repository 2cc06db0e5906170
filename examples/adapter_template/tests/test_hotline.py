"""The tests of the hotline's adapter, inherited from the conformance kit."""

from tocsin_hotline.adapter import ADAPTER

from adapters.conformance import COUNTRY, NOW, AdapterConformance, Case
from schemas.vocab import Tlp

(SAMPLE,) = ADAPTER.samples(COUNTRY, NOW, 1)


class TestHotline(AdapterConformance):
    """Documents of the hotline, with their expected results."""

    adapter = ADAPTER
    cases = (
        Case(
            name="two reports, one of them sensitive",
            data=SAMPLE.data,
            kinds=("election-incident", "election-incident"),
            tlps=(Tlp.AMBER_STRICT, Tlp.AMBER_STRICT),
            lost=("reports.caller",),
            amended=SAMPLE.data.replace(b"on Monday", b"on Tuesday"),
        ),
        Case(
            name="a member given twice",
            data=SAMPLE.data.replace(b'"what": "threat"', b'"what": "threat", "what": "queue"'),
            reason="duplicate-member",
        ),
        Case(
            name="a time without zone",
            data=SAMPLE.data.replace(b'"2027-05-23T18:00:00Z"', b'"2027-05-23T18:00:00"'),
            reason="schema",
        ),
        Case(
            name="another version of the export",
            data=SAMPLE.data.replace(b"hotline-export/1", b"hotline-export/2"),
            reason="schema",
        ),
    )


def test_no_caller_is_named() -> None:
    """A caller's words do not leave the hotline with the caller."""
    assert b"a voter of Exampleton" in SAMPLE.data
    case = next(each for each in TestHotline.cases if not each.reason)
    assert "a voter of Exampleton" not in repr(TestHotline().read(case.data).drafts)
