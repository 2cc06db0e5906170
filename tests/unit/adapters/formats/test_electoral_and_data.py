"""The electoral and data-protection formats: what they make of good documents, and how they refuse the rest."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.authorities.data_protection import ADAPTER as DATA
from adapters.authorities.electoral import ADAPTER as ELECTORAL
from adapters.formats.eml_nl import read_eml_nl
from adapters.formats.gdpr_art33 import read_gdpr_art33
from adapters.formats.nist_1500_101 import read_nist_1500_101
from adapters.formats.veris import read_veris
from adapters.translation.reading import FormatError, ReadContext, ReadResult
from schemas.bodies.data import DataBreach
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.vocab import BreachNature, BreachRisk, Phase, Tlp
from tests.unit.adapters.formats.stamped import RECEIVED, all_stand, reasons, stands_or_is_refused

CONTEXT = ReadContext(received=RECEIVED, adapter="test", country="XA", tz="Europe/Amsterdam")
SAMPLES = {
    sample.name.split("-")[0]: sample.data
    for adapter in (ELECTORAL, DATA)
    for sample in adapter.samples("XA", RECEIVED, 7)
}
EML, LOG, ART33, VERIS = (
    SAMPLES[name] for name in ("calendar.eml", "pollbooks", "roll.art33", "party.veris")
)
Reader = Callable[[bytes, ReadContext], ReadResult]
READERS: dict[str, tuple[Reader, bytes]] = {
    "eml": (read_eml_nl, EML),
    "nist": (read_nist_1500_101, LOG),
    "art33": (read_gdpr_art33, ART33),
    "veris": (read_veris, VERIS),
}


def test_an_election_definition_is_a_calendar_in_the_readers_zone() -> None:
    """Polling day runs from midnight to midnight there; names are not carried."""
    result = read_eml_nl(EML, CONTEXT)
    (bulletin,) = all_stand(result)
    assert isinstance(bulletin.body, ElectionCalendar)
    polling = next(window for window in bulletin.body.windows if window.phase is Phase.POLLING)
    assert polling.start.hour == 22  # summer time of Amsterdam, in UTC
    assert polling.end - polling.start == dt.timedelta(days=1)
    assert bulletin.election is not None
    assert bulletin.election.id == "xa-parl-2027"
    assert "Example Party" not in json.dumps(result.drafts[0].info[0].summary)
    assert "without zone" in reasons(result)


def test_words_of_a_calendar_are_in_the_language_they_claim() -> None:
    """EML-NL is Dutch; it is said in English too, and first so outside the Netherlands."""
    english, dutch = read_eml_nl(EML, CONTEXT).drafts[0].info
    assert (english.lang, dutch.lang) == ("en", "nl")
    assert "stemming op" in dutch.summary
    assert "polling" not in dutch.summary
    assert "polling day" in english.headline
    at_home = msgspec.structs.replace(CONTEXT, country="NL")
    assert [info.lang for info in read_eml_nl(EML, at_home).drafts[0].info] == ["nl", "en"]


def test_a_municipality_without_a_name_is_known_by_its_id() -> None:
    """Where the domain is missing, the message's own id tells one town's election from another's, and that is told."""
    text = re.sub(rb"<kr:ElectionDomain[^>]*>[^<]*</kr:ElectionDomain>", b"", EML)
    text = re.sub(rb'(<ElectionIdentifier Id=")[^"]*', rb"\1GR2027_Exampleton", text)
    text = text.replace(b"<ElectionCategory>TK", b"<ElectionCategory>GR")
    result = read_eml_nl(text, CONTEXT)
    election = result.drafts[0].election
    assert election is not None
    assert election.id == "xa-mun-2027-exampleton"
    assert "ElectionDomain" in reasons(result)


def test_a_log_with_a_failure_is_an_incident_of_that_device() -> None:
    """The device that failed is told of, the one that did not is not, and user ids are dropped."""
    result = read_nist_1500_101(LOG, CONTEXT)
    (bulletin,) = all_stand(result)
    assert isinstance(bulletin.body, ElectionIncident)
    assert (bulletin.body.category, bulletin.body.device_type) == ("pollbook-failure", "electronic-poll-book")
    assert bulletin.body.log_events == ("3007/2 sync",)
    assert "clerk-7" not in str(bulletin)
    assert "UserId" in reasons(result)


def test_a_log_without_failure_says_that_there_is_nothing_to_tell() -> None:
    """No draft, and a loss that says why; vendors' `Events` are read."""
    log = json.loads(LOG)
    for device in log["Device"]:
        device["Events"] = [event for event in device.pop("Event") if event["Disposition"] == "success"]
    result = read_nist_1500_101(json.dumps(log).encode(), CONTEXT)
    assert result.drafts == ()
    assert "no failure in 2 devices" in reasons(result)
    assert "vendor's spelling" in reasons(result)


def test_both_names_of_a_marking_device_are_one() -> None:
    """`bmd` and `ballot-marking` are the same in two versions of the schema."""
    for name in ("bmd", "ballot-marking"):
        text = LOG.replace(b"electronic-poll-book", name.encode())
        body = read_nist_1500_101(text, CONTEXT).drafts[0].body
        assert isinstance(body, ElectionIncident)
        assert body.device_type == "ballot-marking"


def test_a_notification_is_a_breach_with_its_clock() -> None:
    """72 hours from awareness; controller and contact are dropped; the source's marking is kept."""
    result = read_gdpr_art33(ART33, CONTEXT)
    draft = result.drafts[0]
    assert isinstance(draft.body, DataBreach)
    assert draft.deadlines[0].due - draft.deadlines[0].started == dt.timedelta(hours=72)
    assert draft.tlp is Tlp.AMBER_STRICT
    assert "Exampleton" not in str(draft)
    assert {loss.path for loss in result.losses} == {"controller.name", "dpo_contact"}
    all_stand(result)


def test_a_veris_incident_is_a_breach_without_its_victim() -> None:
    """Counts and categories stay; names do not; a partial date is told."""
    result = read_veris(VERIS, CONTEXT)
    draft = result.drafts[0]
    assert isinstance(draft.body, DataBreach)
    assert (draft.body.records_approx, draft.body.data_categories) == (18250, ("contact",))
    assert draft.body.risk is BreachRisk.RISK
    assert "Example Party" not in str(draft)
    assert "partial date" in reasons(result)
    all_stand(result)


def _veris(**members: object) -> DataBreach:
    """The sample with other members, as the breach it becomes."""
    result = read_veris(json.dumps(json.loads(VERIS) | members).encode(), CONTEXT)
    all_stand(result)
    body = result.drafts[0].body
    assert isinstance(body, DataBreach)
    return body


def test_the_clock_of_a_veris_incident_runs_from_its_discovery() -> None:
    """Start and time to discovery give the moment of awareness; a time in the future or without unit is not believed."""
    start = {"year": 2027, "month": 5, "day": 3}
    found = {"incident": start, "discovery": {"unit": "Weeks", "value": 2}}
    assert _veris(timeline=found).aware == dt.datetime(2027, 5, 17, tzinfo=dt.UTC)
    for discovery in ({"unit": "Years", "value": 2}, {"unit": "NA"}, {"unit": "Days", "value": "x"}):
        body = _veris(timeline={"incident": start, "discovery": discovery})
        assert body.aware == dt.datetime(2027, 5, 3, tzinfo=dt.UTC)


def test_what_was_not_disclosed_is_no_breach_of_confidentiality() -> None:
    """`data_disclosure` "No" leaves what else was broken, and nothing is no breach."""
    kept = {"data_disclosure": "No", "data": [{"variety": "Personal"}]}
    body = _veris(attribute={"confidentiality": kept, "integrity": {"variety": ["Software installation"]}})
    assert body.nature == (BreachNature.INTEGRITY,)
    with pytest.raises(FormatError) as refused:
        _veris(attribute={"confidentiality": kept})
    assert refused.value.reason == "no-breach"


def test_a_name_that_is_dropped_is_dropped_from_the_words_too() -> None:
    """Victim and controller, and e-mail addresses, do not travel in a summary either; what is taken out is told."""
    party = json.loads(VERIS) | {"victim": {"victim_id": "Party of Kites"}, "discovery_notes": "by chance"}
    party["summary"] = "The party of kites lost its list; write to clerk@kites.example."
    party["action"] = {"hacking": {}, "social": {}}
    told = read_veris(json.dumps(party).encode(), CONTEXT)
    assert (
        told.drafts[0].info[0].summary == "The (the victim) lost its list; write to [e-mail address removed]."
    )
    assert {"summary", "action", "discovery_notes"} <= {loss.path for loss in told.losses}
    town = json.loads(ART33)
    town["measures"] = f"{town['controller']['name']} called \u202eeverybody"
    result = read_gdpr_art33(json.dumps(town).encode(), CONTEXT)
    body = result.drafts[0].body
    assert isinstance(body, DataBreach)
    assert body.measures == "(the controller) called everybody"
    assert "measures" in {loss.path for loss in result.losses}
    all_stand(result)


BAD: dict[str, tuple[Reader, bytes, str]] = {
    "EML: empty": (read_eml_nl, b"", "empty"),
    "EML: not XML": (read_eml_nl, b"<EML", "malformed"),
    "EML: document type": (
        read_eml_nl,
        EML.replace(b"<EML", b'<!DOCTYPE EML [<!ENTITY a "b">]><EML', 1),
        "hostile-xml",
    ),
    "EML: another root": (read_eml_nl, b"<html/>", "not-eml"),
    "EML: counts": (read_eml_nl, EML.replace(b'Id="110a"', b'Id="510b"'), "unsupported-message"),
    "EML: 30 February": (
        read_eml_nl,
        EML.replace(b"<kr:ElectionDate>2027-06-22", b"<kr:ElectionDate>2027-02-30"),
        "bad-date",
    ),
    "EML: nomination on polling day": (
        read_eml_nl,
        re.sub(rb"(<kr:NominationDate>)[^<]*", rb"\g<1>2027-06-22", EML),
        "bad-date",
    ),
    "EML: millions of tags": (
        read_eml_nl,
        EML.replace(b"</EML>", b"<a/>" * 1_000_001 + b"</EML>"),
        "too-large",
    ),
    "EML: no election": (read_eml_nl, EML.replace(b"ElectionIdentifier", b"Something"), "no-election"),
    "log: array": (read_nist_1500_101, b"[]", "not-an-event-log"),
    "log: schema": (read_nist_1500_101, b'{"$schema": "x", "definitions": {}}', "not-an-event-log"),
    "log: events are text": (
        read_nist_1500_101,
        b'{"GeneratedTime":"x","Device":[{"Event":"x"}]}',
        "not-an-event-log",
    ),
    "log: member twice": (read_nist_1500_101, b'{"Device":[],"Device":[]}', "duplicate-member"),
    "art33: another profile": (read_gdpr_art33, b'{"profile":"other"}', "not-a-notification"),
    "art33: unknown field": (read_gdpr_art33, ART33.replace(b'"stage"', b'"extra": 1, "stage"'), "schema"),
    "art33: local time": (
        read_gdpr_art33,
        ART33.replace(b'"aware_at": "2027-05-23T12:00:00Z"', b'"aware_at": "2027-05-23T12:00:00"'),
        "schema",
    ),
    "art33: aware tomorrow": (
        read_gdpr_art33,
        ART33.replace(b"2027-05-23T12:00:00Z", b"2027-05-25T12:00:00Z"),
        "schema",
    ),
    "art33: NaN": (read_gdpr_art33, ART33.replace(b"41000", b"NaN"), "malformed"),
    "VERIS: member twice": (
        read_veris,
        VERIS.replace(b'"confidence"', b'"confidence": "Low", "confidence"', 1),
        "duplicate-member",
    ),
    "VERIS: near miss": (read_veris, VERIS.replace(b"Confirmed", b"Near miss"), "not-confirmed"),
    "VERIS: nothing broken": (read_veris, VERIS.replace(b'"confidentiality"', b'"other"'), "no-breach"),
    "VERIS: the words themselves": (
        read_veris,
        VERIS.replace(b'"Confirmed"', b'["Confirmed", "Suspected"]'),
        "definition",
    ),
    "VERIS: a list of words": (read_veris, b'{"action": []}', "not-an-incident"),
    "VERIS: UTF-16 without mark": (read_veris, VERIS.decode().encode("utf-16-le"), "malformed"),
    "VERIS: deep": (read_veris, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "too-deep"),
}


@pytest.mark.parametrize(("read", "raw", "reason"), BAD.values(), ids=BAD)
def test_bad_documents_are_refused_for_their_reason(read: Reader, raw: bytes, reason: str) -> None:
    """Each has its reason, and nothing of it is published."""
    with pytest.raises(FormatError) as refused:
        read(raw, CONTEXT)
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150)
@given(data=st.data())
def test_a_spoilt_document_stands_or_is_refused(name: str, data: st.DataObject) -> None:
    """Bytes changed, cut or doubled anywhere give bulletins that stand, none with a reason, or a refusal."""
    read, good = READERS[name]
    place = data.draw(st.integers(0, len(good) - 1))
    junk = data.draw(st.binary(max_size=6))
    spoilt = good[:place] + junk + good[place + data.draw(st.integers(0, 40)) :]
    try:
        result = read(spoilt, CONTEXT)
    except FormatError as refused:
        assert refused.reason
        return
    if result.drafts:
        stands_or_is_refused(read, spoilt, CONTEXT)
    else:
        assert result.losses


@pytest.mark.parametrize("name", READERS)
def test_each_format_recognises_its_own_and_no_other(name: str) -> None:
    """Exactly one of all formats claims a sample."""
    from adapters.runloop import recognise
    from bus.plugin import discover

    formats = [found for each in discover() if each.adapter for found in each.adapter.formats.values()]
    assert recognise(READERS[name][1], formats).read is READERS[name][0]


@pytest.mark.parametrize(
    "members",
    [
        {"actor": {"external": {"name": ["Ada Example"], "variety": ["Unknown"]}}},
        {"victim": {"victim_id": "Office Nine", "secondary": {"victim_id": ["Ada Example"]}}},
        {"plus": {"analyst": "Ada Example"}},
    ],
    ids=["actor", "another victim", "analyst"],
)
def test_whom_an_incident_names_leaves_its_summary(members: dict[str, object]) -> None:
    """Actors, other victims and analysts, in every spelling."""
    incident = json.loads(VERIS)
    incident |= {"summary": "EXAMPLE, Ada took the roll.", **members}
    draft = read_veris(json.dumps(incident).encode(), CONTEXT).drafts[0]
    assert "xample" not in repr((draft.info, draft.body)).lower()


def test_the_contact_of_a_notification_leaves_its_words_and_its_reference() -> None:
    """The person of the contact point, and the controller also inflected and in an id."""
    note = json.loads(ART33)
    note |= {
        "controller": {"kind": "municipality", "name": "Gemeinde Musterstadt"},
        "dpo_contact": "Ada Example, dpo@musterstadt.example",
        "reference": "musterstadt-gemeinde-7",
        "summary": "Ms Example found that rolls of Gemeinde-Musterstadts were open.",
    }
    result = read_gdpr_art33(json.dumps(note).encode(), CONTEXT)
    draft = result.drafts[0]
    said = repr((draft.info, draft.body, draft.provenance[0].original_id)).lower()
    assert "musterstadt" not in said
    assert "example" not in said
