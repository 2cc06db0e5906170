"""Bulletins that break a rule by one field alone, where the vectors break it by another: name and changed members."""

from __future__ import annotations

from typing import Any

from tests.vectors.rule_cases import RED, action, attribution, feedback, observable
from tests.vectors.truth_cases import (
    CLEAR,
    EARLIER,
    LATER,
    STRICT,
    advertisement,
    body,
    breach,
    calendar,
    clock,
    election,
    incident,
    listing,
    notice,
    order,
    refers,
    report,
    seen,
    told,
)

MUCH_LATER = "2027-06-24T19:41:00Z"
NO_LAW = "celex:32016R0679#100"
ITEM = {"url": "https://social.example/p/1", "platform": "social", "content_types": ["image"]}
SECRET = {**ITEM, "url": "https://user:secret@social.example/p"}
FUTURE_ITEM = {**ITEM, "posted": "2027-06-01"}
MEASURE = {
    "platform": "social",
    "source_type": "article-16",
    "ground": "illegal-content",
    "category": "violence",
    "visibility": ["labelled"],
}
REFERRAL = {"stage": "investigation", "offences": ["forgery"], "competent": "xa-justice"}
LINES = {"mode": "holding-line", "lines": ["Nobody was struck off the roll."]}
ASK = {"question": "Have you seen it?", "to": ["csirt"], "respond_by": LATER}
FILE = {"title": "A page", "sha256": "0" * 64, "media_type": "text/html", "size": 7}
READ = {"format": "misp-event", "adapter": "misp", "original_sha256": "0" * 64, "received": LATER}
HOSTILE = seen("elections.example", "domain-name")
NEW_ID = "01ffffff-9be0-7000-8000-000000000001"
PERSONAL = {
    "flag": "personal",
    "purpose": "finding those who are warned of",
    "retention_until": "2027-11-23",
}


def after(**fields: Any) -> dict[str, Any]:
    """A report after an election."""
    given = {
        "edition": "interim",
        "period_start": "2027-05-01",
        "period_end": "2027-05-20",
        "dimensions": [{"dimension": "physical", "incidents": 4, "major": 1}],
        "decisive_impact": "none-found",
    }
    return body("post-election-report", **given | fields)


def declared(basis: str) -> dict[str, Any]:
    """Personal data under a law."""
    return {**STRICT, "personal_data": {**PERSONAL, "lawful_basis": basis}}


def asked(kind: str, **fields: Any) -> dict[str, Any]:
    """An action of one kind."""
    return {"actions": [{"kind": kind, "to": ["dsc"], "text": "act", **fields}]}


MORE: dict[str, dict[str, Any]] = {
    "a notice of what is posted tomorrow": notice(items=[FUTURE_ITEM]),
    "a notice under no law": notice(illegal_under=[NO_LAW]),
    "a notice with a password": notice(items=[SECRET]),
    "an order in effect tomorrow": order(effect_at=LATER),
    "an order under no law": order(legal_basis=[NO_LAW, "national:XA:Electoral-Act#71"]),
    "an order with a password": order(items=[SECRET]),
    "measures of next month": body("platform-measure", **MEASURE, period_end="2027-06-20"),
    "measures from end to start": body(
        "platform-measure", **MEASURE, period_start="2027-05-20", period_end="2027-05-10"
    ),
    "an advertisement of next month": advertisement(period_start="2027-06-20"),
    "an advertisement from end to start": advertisement(period_start="2027-05-20", period_end="2027-05-10"),
    "a breach that is known tomorrow": {**breach(aware=LATER), "deadlines": []},
    "a breach that ends before it starts": {
        **breach(started="2027-05-21T08:00:00Z", ended="2027-05-20T08:00:00Z"),
        "deadlines": [],
    },
    "a calendar under no law": calendar(legal=[NO_LAW]),
    "nobody, and a share of them": body(
        "election-incident",
        category="voter-suppression",
        stage="polling",
        voters_affected=0,
        electorate_share_ppm=5,
    ),
    "a listing under no law": listing(regulation="celex:32031R0001"),
    "a matter of justice of next month": {
        **STRICT,
        **body("legal-referral", **REFERRAL, opened="2027-06-20"),
    },
    "lines used before they are said": body("stratcom", **LINES, use_until=EARLIER),
    "a report from end to start": report(end="2027-05-20T19:41:00Z"),
    "a report of next month": after(period_end="2027-06-20"),
    "a report on an election from end to start": after(period_start="2027-05-21"),
    "a report with more major ones than all": after(
        dimensions=[{"dimension": "physical", "incidents": 4, "major": 9}]
    ),
    "a question for yesterday": body("rfi", **{**ASK, "respond_by": EARLIER}),
    "a question under no law": body("rfi", **ASK, legal_basis=[NO_LAW]),
    "an answer that is no error": {**feedback("reject"), **refers("rejects")},
    "a sighting of tomorrow": {**feedback("sighting", seen_last=LATER), **refers("answers")},
    "a sighting from end to start": {
        **feedback("sighting", seen_first=EARLIER, seen_last="2027-05-21T08:00:00Z"),
        **refers("answers"),
    },
    "an exercise that is meant": {"exercise_id": "ce-2027"},
    "an incident of later": {"incident_id": NEW_ID},
    "polls from end to start": election(polling_first="2027-06-13", polling_last="2027-06-12"),
    "it begins when it is over": {"onset": MUCH_LATER},
    "public from next month": attribution("public", by=["xa-csirt"], public_since="2027-06-20"),
    "confirmed, and improbable": {
        **attribution("confirmed", by=["xa-csirt"]),
        "confidence": {"credibility": 5},
    },
    "an action for yesterday": asked("block-indicator", due=EARLIER),
    "an action under no law": asked("block-indicator", legal_basis=[NO_LAW]),
    "an action by soft law": {
        **action("request-takedown-order", "soft:code-of-conduct"),
        "rights": {"legality": True, "necessity": True, "proportionality": True},
    },
    "an action for oneself": {"actions": [{"kind": "share-upward", "to": ["xa-csirt"], "text": "act"}]},
    "a clock that starts tomorrow": clock("a-clock", started=LATER, due=MUCH_LATER),
    "a clock that is due as it starts": clock("a-clock", due="2027-05-22T08:00:00Z"),
    "personal data under no law": declared(NO_LAW),
    "personal data by soft law": declared("soft:code-of-conduct"),
    "a file of tomorrow": {"evidence": [{**FILE, "captured": LATER}]},
    "a file behind a password": {"evidence": [{**FILE, "uri": SECRET["url"]}]},
    "read tomorrow": {"provenance": [READ]},
    "a person for everybody": {**CLEAR, **observable("personal")},
    "a belief for many": observable("special-category", value_hmac="0" * 64, key_id="csirts-2027q2"),
    "a flaw of years to come": body("cyber-threat", title="A loader", exploited=["CVE-2031-1234"]),
    "likely, by its figure not": {"confidence": {"score": 50, "likelihood": "almost-certain"}},
    "few may read it, all may act": {**RED, "pap": "clear"},
    "detected tomorrow": incident(detected=LATER),
    "an order that nothing contests, without a check": {**order(redress="None."), "rights": None},
    "a page behind a password": told(web=SECRET["url"]),
    "facts behind a password": body("stratcom", **LINES, facts=[SECRET["url"]]),
    "an advisory behind a password": body(
        "vulnerability", ids=["CVE-2027-41234"], products=["p"], advisory=SECRET["url"]
    ),
    "a listing behind a password": listing(publication_url=SECRET["url"]),
    "a report behind a password": after(report_url=SECRET["url"]),
    "dates behind a password": calendar(official_url=SECRET["url"]),
    "a hostile site with correct information": {
        **HOSTILE,
        **body(
            "election-incident",
            category="voter-suppression",
            stage="polling",
            correct_information="Look yourself up at elections.example.",
        ),
    },
    "a hostile site of a calendar": {**HOSTILE, **calendar(official_url="https://elections.example/")},
    "a hostile site with facts": {
        **HOSTILE,
        **body("stratcom", **LINES, facts=["https://elections.example/"]),
    },
}
