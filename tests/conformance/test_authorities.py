"""The conformance kit over the four adapters that ship."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from adapters.authorities.cyber import ADAPTER as CYBER
from adapters.authorities.data_protection import ADAPTER as DATA_PROTECTION
from adapters.authorities.digital import ADAPTER as DIGITAL
from adapters.authorities.electoral import ADAPTER as ELECTORAL
from adapters.conformance import COUNTRY, NOW, AdapterConformance, Case
from adapters.sdk import AuthorityAdapter
from schemas.bodies.data import DataBreach
from schemas.bodies.electoral import ElectionCalendar
from schemas.bulletin import Bulletin
from schemas.vocab import Phase, Tlp


def _sample(adapter: AuthorityAdapter, stem: str, **changes: str) -> bytes:
    """One sample of an adapter, with pieces of its text replaced; every piece must be there."""
    data = next(each.data for each in adapter.samples(COUNTRY, NOW, 7) if each.name.startswith(stem))
    text = data.decode()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def _polling_is_a_month_away(bulletins: tuple[Bulletin, ...]) -> None:
    body = bulletins[0].body
    assert isinstance(body, ElectionCalendar)
    polling = [window for window in body.windows if window.phase is Phase.POLLING]
    assert [window.start.date() for window in polling] == [(NOW + dt.timedelta(days=30)).date()]
    assert bulletins[0].audience == "public"


def _no_clerk_is_named(bulletins: tuple[Bulletin, ...]) -> None:
    assert "clerk-7" not in repr(bulletins)


def _due_in_72_hours(bulletins: tuple[Bulletin, ...]) -> None:
    body = bulletins[0].body
    assert isinstance(body, DataBreach)
    assert bulletins[0].deadlines[0].due == body.aware + dt.timedelta(hours=72)
    assert "dpo@exampleton.example" not in repr(bulletins)
    assert "Municipality of Exampleton" not in repr(bulletins)
    assert bulletins[0].audience == "eu-dpas"


class TestElectoral(AdapterConformance):
    """The electoral adapter."""

    adapter = ELECTORAL
    cases = (
        Case(
            name="an election definition",
            data=_sample(ELECTORAL, "calendar"),
            kinds=("election-calendar",),
            tlps=(Tlp.CLEAR,),
            amended=_sample(ELECTORAL, "calendar", **{"Parliament of": "Corrected: parliament of"}),
            says=_polling_is_a_month_away,
        ),
        Case(
            name="a log of devices, one failing",
            data=_sample(ELECTORAL, "pollbooks"),
            kinds=("election-incident",),
            tlps=(Tlp.AMBER_STRICT,),
            lost=("Device/Event/UserId",),
            amended=_sample(ELECTORAL, "pollbooks", critical="fatal"),
            says=_no_clerk_is_named,
        ),
        Case(
            name="a log without a failure",
            data=_sample(ELECTORAL, "pollbooks", failure="success", critical="info"),
            lost=("Device",),
        ),
        Case(
            name="a count of votes",
            data=_sample(ELECTORAL, "calendar", **{'Id="110a"': 'Id="510b"'}),
            reason="unsupported-message",
        ),
        Case(
            name="a document type",
            data=_sample(ELECTORAL, "calendar", **{"<EML": '<!DOCTYPE EML [<!ENTITY a "b">]><EML'}),
            reason="hostile-xml",
        ),
    )


class TestCyber(AdapterConformance):
    """The cyber adapter."""

    adapter = CYBER
    cases = (
        Case(
            name="a MISP event",
            data=_sample(CYBER, "portal"),
            kinds=("cyber-threat",),
            tlps=(Tlp.GREEN,),
            amended=_sample(CYBER, "portal", **{"results portal": "results portal, second wave"}),
        ),
        Case(
            name="a STIX report marked amber",
            data=_sample(CYBER, "lookalike"),
            kinds=("cyber-threat",),
            tlps=(Tlp.AMBER_STRICT,),
            lost=("tlp",),
            amended=_sample(CYBER, "lookalike", **{"Phishing of": "Again: phishing of"}),
        ),
        Case(
            name="a MISP event marked clear",
            data=_sample(CYBER, "portal", **{"tlp:green": "tlp:clear"}),
            kinds=("cyber-threat",),
            tlps=(Tlp.GREEN,),
            lost=("tlp",),
        ),
        Case(
            name="a MISP event marked red",
            data=_sample(CYBER, "portal", **{"tlp:green": "tlp:red"}),
            reason="marking",
        ),
    )


class TestDigital(AdapterConformance):
    """The digital adapter."""

    adapter = DIGITAL
    cases = (
        Case(
            name="statements of reasons",
            data=_sample(DIGITAL, "statements"),
            kinds=("platform-measure", "platform-measure"),
            tlps=(Tlp.AMBER_STRICT, Tlp.AMBER_STRICT),
            lost=("tlp",),
            amended=_sample(DIGITAL, "statements", KEYWORD_MISINFORMATION_DISINFORMATION="KEYWORD_OTHER"),
        ),
        Case(
            name="a network a platform found",
            data=_sample(DIGITAL, "network"),
            kinds=("fimi",),
            tlps=(Tlp.AMBER_STRICT,),
        ),
        Case(
            name="a daily table of statements",
            data=(
                b"uuid,decision_visibility,decision_ground,category,content_type,territorial_scope,"
                b"application_date,source_type,automated_detection,automated_decision,platform_name,created_at\n"
                b'0190a0b1-2c3d-4e5f-8a9b-000000000001,"[""DECISION_VISIBILITY_CONTENT_REMOVED""]",'
                b"DECISION_GROUND_ILLEGAL_CONTENT,"
                b"STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS,"
                b'"[""CONTENT_TYPE_TEXT""]","[""XA""]",2027-05-22 00:00:00,SOURCE_VOLUNTARY,Yes,'
                b"AUTOMATED_DECISION_FULLY,Example Platform,2027-05-23 00:00:00\n"
            ),
            kinds=("platform-measure",),
        ),
    )


class TestDataProtection(AdapterConformance):
    """The data-protection adapter."""

    adapter = DATA_PROTECTION
    cases = (
        Case(
            name="a notification",
            data=_sample(DATA_PROTECTION, "roll"),
            kinds=("data-breach",),
            tlps=(Tlp.AMBER_STRICT,),
            lost=("controller.name", "dpo_contact"),
            amended=_sample(DATA_PROTECTION, "roll", **{"41000": "52000"}),
            says=_due_in_72_hours,
        ),
        Case(
            name="a VERIS incident",
            data=_sample(DATA_PROTECTION, "party"),
            kinds=("data-breach",),
            tlps=(Tlp.AMBER_STRICT,),
            lost=("victim", "tlp"),
            amended=_sample(DATA_PROTECTION, "party", **{"for sale": "for free"}),
        ),
        Case(
            name="a notification of tomorrow",
            data=_sample(DATA_PROTECTION, "roll", **{"2027-05-23": "2027-05-25"}),
            reason="schema",
        ),
        Case(
            name="a duplicate member",
            data=_sample(DATA_PROTECTION, "roll", **{'"stage"': '"risk": "risk", "stage"'}),
            reason="duplicate-member",
        ),
        Case(
            name="a profile's schema instead of an instance",
            data=json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"}).encode(),
            reason="unknown-format",
        ),
    )


def test_every_authority_has_samples_beside_it() -> None:
    """Each adapter has at least two samples, and all of them end in a country's own names."""
    for adapter in (ELECTORAL, CYBER, DIGITAL, DATA_PROTECTION):
        names = [each.name for each in adapter.samples(COUNTRY, NOW, 1)]
        assert len(names) >= 2
        assert all("-1" in Path(name).name for name in names)
