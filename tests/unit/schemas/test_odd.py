"""What a draft is asked about: two fields that do not go together, words beside figures, codes that nobody gave; a row for each kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.bulletin import Bulletin
from schemas.codec import decode
from schemas.remarks import remarks
from schemas.review import doubts, labels
from tests.vectors.rule_cases import BASE
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
    flaw,
    incident,
    listing,
    notice,
    refers,
    report,
    seen,
    told,
    window,
)

Row = tuple[str, str, dict[str, Any]]


def made(changes: dict[str, Any]) -> Bulletin:
    """The example of the vectors with members replaced."""
    return decode(json.dumps({**BASE, "observables": [], **changes}).encode())


def acts(kind: str, text: str = "Look into it.", **fields: Any) -> dict[str, Any]:
    """One action."""
    return {"actions": [{"kind": kind, "to": ["csirt"], "text": text, **fields}]}


def held(
    flag: str = "personal", basis: str = "celex:32016R0679#6.1.e", until: str = "2027-11-23"
) -> dict[str, Any]:
    """Why and how long personal data is kept."""
    given = {"flag": flag, "lawful_basis": basis, "purpose": "warn of it", "retention_until": until}
    return {**STRICT, "personal_data": given}


def file(**fields: Any) -> dict[str, Any]:
    """A file kept as evidence."""
    given = {"title": "Screenshot", "sha256": "5f" * 32, "media_type": "image/png", "size": 9}
    return {"evidence": [given | fields]}


def network(**fields: Any) -> dict[str, Any]:
    """A manipulation campaign."""
    return body("fimi", **{"scope": "campaign", "methods": ["inauthentic-network"]} | fields)


def named(name: str) -> dict[str, Any]:
    """A technique with its name."""
    return {"ttps": [{"framework": "attack-enterprise", "id": "T1566.001", "name": name}]}


def measure(**fields: Any) -> dict[str, Any]:
    """A statement of reasons."""
    given = {
        "platform": "social",
        "source_type": "article-16",
        "ground": "illegal-content",
        "category": "violence",
    }
    return body("platform-measure", **{**given, "visibility": ["labelled"]} | fields)


def event(**fields: Any) -> dict[str, Any]:
    """An incident of an election."""
    return body("election-incident", **{"category": "outage", "stage": "campaign"} | fields)


def lessons(*names: str) -> dict[str, Any]:
    """A report with lessons."""
    each = {"observation": "o", "recommendation": "r", "owner": ["xa-emb"], "area": "training"}
    given = {
        "edition": "final",
        "period_start": "2027-01-01",
        "period_end": "2027-05-01",
        "decisive_impact": "possible",
    }
    counts = [{"dimension": "physical", "incidents": 1}]
    return body(
        "post-election-report", **given, dimensions=counts, lessons=[{"id": name, **each} for name in names]
    )


def flawed(**fields: Any) -> dict[str, Any]:
    """A flaw without a score."""
    return body("vulnerability", ids=["CVE-2027-41234"], products=["CountLink"], **fields)


def called_off() -> dict[str, Any]:
    """A vote that is not held."""
    return calendar(state="called-off", cause="Judgment of 4 May.")


def justice(stage: str) -> dict[str, Any]:
    """A matter of justice."""
    return body("legal-referral", stage=stage, offences=["forgery"], competent="xa-court")


def lessons_due(day: str) -> dict[str, Any]:
    """A report with a lesson that is due on a day."""
    given = lessons("spare")["body"]
    return {"body": {**given, "lessons": [{**given["lessons"][0], "due": day}]}}


def situation(end: str, **fields: Any) -> dict[str, Any]:
    """The situation of a few days."""
    counts = [{"dimension": "physical", "incidents": 1}]
    return body(
        "situation-report",
        period_start="2024-05-20T00:00:00Z",
        period_end=end,
        posture="baseline",
        dimensions=counts,
        **fields,
    )


RISK: dict[str, Any] = {"services": ["S"], "risks": ["electoral-processes"], "assessment": "a"}
ONESELF = {"name": "xa-csirt", "kind": "state-body", "public_role": True}
STATE = {
    "name": "Directorate 4",
    "kind": "state-body",
    "country": "XY",
    "affiliation": "official",
    "public_role": True,
}
SPARE = {"name": "Storm-7", "kind": "unknown"}
ABROAD = advertisement(infringements=["third-country-sponsor"], sponsor_country="XM")
BOTH = [{"subject": word, "names": [{"whole": word}]} for word in ("person", "enterprise")]
AS_PRINTED = {
    "subject": "person",
    "names": [{"whole": "Ivan Muster"}],
    "reason": "Ivan Muster, born on 1 May 1971, lives at Lime Street 14.",
    "ids": ["number:811228-9874"],
}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

DOUBTED: tuple[Row, ...] = (
    ("a test in earnest", "test", told(headline="This is only a test. Please ignore.")),
    ("a drill in earnest", "exercise", told(summary="This is a drill. The site is down.")),
    ("an exercise in Greek", "exercise", told(headline="ΑΣΚΗΣΗ – ΑΣΚΗΣΗ: ο ιστότοπος")),
    ("a simulation in earnest", "exercise", told(summary="SIMULATION ONLY. The site is down.")),
    ("counting before the polls", "phase", election(phase="counting", polling_first="2027-06-13")),
    ("a state, unattributed", "attribution", {"attribution": {"level": "unattributed", "actors": [STATE]}}),
    ("a responsibility, unattributed", "attribution", {"attribution": {"level": "unattributed", "state_responsibility": "state-ordered"}}),
    ("a deepfake without any", "synthetic", network(methods=["deepfake-audio"], synthetic="none")),
    ("an enterprise that may not travel", "measure", listing(measures=["travel-ban"])),
    ("a clock for what is not significant", "clock", {**incident(significant=False), **clock("nis2-early-warning")}),
    ("a victim to be blocked", "victim", seen("mail.example", "domain-name", role="victim")),
    ("deletion called monitoring", "measure", acts("monitor", "Delete all accounts that posted it.")),
    ("a shutdown called mitigation", "measure", acts("mitigate-technical", "Shut down mobile internet in the district.")),
    ("an arrest called verification", "measure", acts("verify", "Arrest whoever handed them out.")),
    ("a clock that was never set", "time", incident(detected="1970-01-01T00:00:00Z")),
    ("the digest of no bytes", "evidence", file(sha256=EMPTY)),
    ("a file of no bytes", "evidence", file(size=0)),
    ("a letter to be matched", "everything", seen("a", "text")),
    ("two lessons of one name", "twice", lessons("spare", "spare")),
    ("the template's own words", "placeholder", told(headline="Insert headline here")),
    ("a place of printf", "placeholder", told(summary="It is at %s.")),
    ("destroy after reading", "internal", {**CLEAR, **told(instruction="Destroy after reading.")}),
    ("a distribution of the Council", "internal", {**CLEAR, **told(headline="LIMITE – the site is down")}),
    ("a child", "personal", told(summary="Carried off by Lena Muster, aged 9.")),
    ("a source by name", "personal", told(summary="Our informant Jana Muster will testify.")),
    ("a passport", "personal", told(summary="He showed passport no. C01X00T47.")),
    ("an account by name", "personal", seen("@jana.muster", "user-account", actionable=False)),
    ("a listing of next year", "time", listing(published="2028-01-01", in_force="2028-01-01")),
    ("a label of an exercise", "exercise", {"labels": ["exercise:grey-heron=\"2027\""]}),
    ("a label of a narrower PAP", "marking", {"labels": ["pap:red"]}),
    ("an exercise that says it is none", "exercise", {"status": "exercise", "exercise_id": "e-1", **told(summary="This is real and NOT an exercise.")}),
    ("a vote that is off, and invites", "words", {**called_off(), **told(public_line="Vote on 13 June, 07:00 to 19:00.")}),
    ("a vote that is on, and is not", "words", {**calendar(), **told(headline="The election of 13 June is called off")}),
    ("not affected, and to be updated", "words", flawed(status="known-not-affected", remediation="Install 2.8.")),
    ("not exploited, and under attack", "words", {**flawed(exploited=False), **told(headline="CountLink is exploited in the wild")}),
    ("delisted, and listed", "words", {**listing(event="delisted"), **told(headline="One enterprise listed")}),
    ("acquitted, and sentenced", "words", {**STRICT, **justice("acquittal"), **told(headline="Two persons were sentenced")}),
    ("suspected, and guilty", "words", {**STRICT, **justice("investigation"), **told(headline="Two persons were found guilty")}),
    ("in order, and unlawful", "words", {**advertisement(finding="none"), **told(headline="Two unlawful advertisements")}),
    ("no effect, and prolonged", "words", {**event(process_effect="none"), **told(headline="Voting prolonged by two hours")}),
    ("seen, and no hit", "words", {**body("feedback", verdict="sighting", seen_count=3), **refers("answers"), **told(headline="No hit in our logs")}),
    ("polling in a vote of long ago", "phase", {**event(), **election("xa-mun-2019", "municipal", phase="polling")}),
    ("domestic, by others", "attribution", {**network(origin="domestic"), "attribution": {"level": "assessed", "by": ["xa-mfa"], "actors": [STATE]}}),
    ("oneself as who acts", "attribution", {"attribution": {"level": "confirmed", "by": ["xa-csirt"], "actors": [ONESELF]}}),
    ("a vote to come that is over", "phase", {**calendar(), **election(), "issued": "2027-06-20T19:41:00Z", "expires": "2027-07-20T19:41:00Z"}),
    ("born when listed", "time", listing(listed=[{"subject": "person", "names": [{"whole": "Ivan Muster"}], "birth": ["1.5.2031"]}])),
    ("an action that was none", "words", {**body("feedback", verdict="action-taken", action="patch"), **refers(), **told(headline="Nothing was done")}),
    ("extreme, and nothing", "words", {"severity": "extreme", **told(headline="All is quiet")}),
    ("a headline of nothing", "placeholder", told(headline="N/A")),
)  # fmt: skip

REMARKED: tuple[Row, ...] = (
    ("a year mistyped", "year", body("rfi", question="q", to=["csirt"], respond_by="2029-06-23T21:59:59Z")),
    ("no country", "country", {"areas": [{"scope": "country", "country": "JJ"}]}),
    ("a country by another list", "country", {"areas": [{"scope": "country", "country": "UK"}]}),
    ("no language", "language", told(lang="gr")),
    ("a kind with a slip", "authority-kind", {"actions": [{"kind": "monitor", "to": ["csrit"], "text": "t"}]}),
    ("no CELEX number", "celex", {"legal": [{"ref": "celex:ZZZZZZZZ", "role": "duty"}]}),
    ("special categories on an ordinary ground", "lawful-basis", held("special-category")),
    ("an authority's interests", "lawful-basis", held(basis="celex:32016R0679#6.1.f")),
    ("kept for decades", "retention", held(until="2077-05-23")),
    ("kept longer than its persons", "retention", {**held(), "handling": {"retention_days": 3650}}),
    ("bytes read as another encoding", "garbled", told(lang="fr", headline="RÃ©ponse en route")),
    ("a drill that the public takes for real", "exercise", {**CLEAR, "status": "exercise", "exercise_id": "e-1", **told(public_line="The vote is put off.")}),
    ("a vote that is long over", "phase", election("xa-parl-2024", polling_first="2024-06-09", polling_last="2024-06-09")),
    ("units beside the words", "count", {**event(units_affected=2), **told(headline="No power at 9 polling places")}),
    ("voters beside the words", "count", {**event(voters_affected=410), **told(headline="41 000 voters got a wrong day")}),
    ("persons beside the words", "count", {**breach(subjects_approx=740), **told(headline="The file of 74 000 donors")}),
    ("names beside the words", "count", {**listing(), **told(headline="Nine enterprises were listed")}),
    ("items beside the words", "count", {**notice(), **told(headline="Seven clips ask for a fee")}),
    ("fewer channels than platforms", "count", network(channels=["a", "b"], channel_count=1)),
    ("two voters of a country", "share", {**event(voters_affected=2, electorate_share_ppm=900_000), **election()}),
    ("voters of more than the world", "share", event(voters_affected=8_000_000, electorate_share_ppm=2)),
    ("another's list", "listing", listing(authority="us-treasury")),
    ("an enterprise that was born", "listing", listing(listed=[{"subject": "enterprise", "names": [{"whole": "E"}], "birth": ["1971"]}])),
    ("one name twice", "twice", listing(listed=[{"subject": "enterprise", "names": [{"whole": "E"}]}] * 2)),
    ("minor, very large", "severity", {**incident(impact="very-large"), "severity": "minor"}),
    ("minor, critical", "severity", {**flaw("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98), "severity": "minor"}),
    ("down for longer than known", "downtime", incident(downtime_s=3_456_000)),
    ("another day in the words", "date", {**calendar(), **told(public_line="Vote on 20 June.")}),
    ("another day in German", "date", {**calendar(), **told(lang="de", headline="Wahl am 20. Juni", summary="Zwei Stimmen.")}),
    ("other hours in the words", "hours", {**calendar(), **told(public_line="Vote on 13 June, 09:00 to 20:00.")}),
    ("polls of forty days", "polling", calendar(window("polling", "05-01T05", "06-13T19"))),
    ("one window twice", "twice", calendar(window("polling", "06-13T05", "06-13T19"))),
    ("certified before it is counted", "order", calendar(window("counting", "06-20T05", "06-21T19"), window("certification", "06-15T05", "06-16T19"))),
    ("results after months", "embargo", calendar(results_embargo_until="2027-12-13T19:00:00Z")),
    ("noise under PAP:RED", "pap", {**STRICT, "pap": "red", **acts("block-indicator")}),
    ("a block of what is withdrawn", "cancel", {"msg_type": "cancel", **refers("cancels"), **acts("block-indicator")}),
    ("due when it has expired", "expired", {"expires": "2027-05-30T00:00:00Z", **acts("monitor", due="2027-06-03T00:00:00Z")}),
    ("answered when it has expired", "expired", {"expires": LATER, **body("rfi", question="q", to=["csirt"], respond_by="2027-06-03T00:00:00Z")}),
    ("a mechanism of the Commission", "crisis", body("systemic-risk", services=["S"], risks=["electoral-processes"], assessment="a", crisis="mechanism-art36")),
    ("three months before", "three-months", {**ABROAD, **election("xa-pres-2028", "presidential", polling_first="2028-01-16")}),
    ("a code of no region", "area", {"areas": [{"scope": "region", "country": "XA", "code": "XA2135577", "system": "nuts-2024"}]}),
    ("the name of another technique", "technique", named("Data Encrypted for Impact")),
    ("a program of every machine", "everywhere", seen("svchost.exe", "process")),
    ("a digest that is cut", "digest", seen("a3a3a3a3a3a3", "file")),
    ("a digest of nothing", "digest", file(sha256="0" * 64)),
    ("one text in two languages", "language", {"info": [{"lang": lang, "headline": "h", "summary": "s"} for lang in ("en", "ga")]}),
    ("immediate, in months", "urgency", {"urgency": "immediate", "effective": "2027-09-01T00:00:00Z", "expires": "2027-12-01T00:00:00Z"}),
    ("a count before the vote", "stage", event(category="count-discrepancy", stage="registration")),
    ("a stage after its phase", "stage", {**event(stage="counting"), **election()}),
    ("for sale without risk", "risk", breach(risk="unlikely", republished="for-sale", art34="not-required")),
    ("nobody at high risk", "count", breach(risk="high-risk", subjects_approx=0)),
    ("a lead within one country", "lead", breach(cross_border=False, lead_authority="xb-dpa")),
    ("baseline with many major ones", "posture", report(("physical", 9, 7))),
    ("profiling without infringement", "infringement", advertisement(special_category_profiling=True)),
    ("the count is 0", "count", measure(count=0)),
    ("millions in one community", "breakout", network(breakout=1, reach=62_000_000)),
    ("a sighting that hands over", "verdict", {**body("feedback", verdict="sighting", handover_to="xb-dsc"), **refers("answers")}),
    ("across borders, at home", "cross-border", incident(cross_border=True, countries=["XA"])),
    ("possible, nearly sure", "certainty", {"certainty": "possible", "confidence": {"score": 95}}),
    ("an attack that is a test", "test", incident(classification="test:test")),
    ("more users than two countries have", "count", incident(users_affected=2_000_000_000, countries=["XA", "XB"])),
    ("more voters than an island has", "count", {**event(voters_affected=3_000_000), **election("mt-parl-2027")}),
    ("a calendar that ends before the vote", "expired", {**calendar(), "expires": "2027-06-01T00:00:00Z"}),
    ("counted for weeks", "long", calendar(window("counting", "06-13T19", "08-13T19"))),
    ("a label before there was a duty", "before", advertisement(infringements=["no-label"], period_start="2024-05-01", period_end="2024-05-20")),
    ("a number of no list", "number", told(summary="They use CVE-1987-0034.")),
    ("facts of nothing", "facts", measure(facts="n/a")),
    ("one item twice", "twice", notice(items=[{"url": "https://s.example/1", "platform": "s", "content_types": ["text"]}] * 2)),
    ("one clock at two times", "twice", {"deadlines": [*clock()["deadlines"], *clock(started="2027-05-22T09:00:00Z")["deadlines"]]}),
    ("a clock of a breach in a calendar", "clock", {**calendar(), **clock()}),
    ("a campaign after the polls", "order", calendar(window("campaign", "05-13T05", "06-20T19"))),
    ("silence before the campaign", "order", calendar(window("silence", "02-01T05", "02-02T19"), window("campaign", "05-13T05", "06-10T19"))),
    ("polls of a minute", "polling", calendar({"phase": "polling", "start": "2027-06-13T20:00:00Z", "end": "2027-06-13T20:01:00Z"})),
    ("the third round first", "round", body("election-calendar", windows=[window("polling", "06-13T05", "06-13T19", round=3)], tz="Europe/Vienna")),
    ("another election in the words", "election", {**calendar(), **election(), **told(headline="Presidential election on 13 June")}),
    ("a recount before the vote", "stage", event(process_effect="recount")),
    ("voters at no place", "count", event(units_affected=0, voters_affected=4)),
    ("a price of nothing", "amount", event(category="vote-buying", offered={"value": "0", "currency": "EUR"})),
    ("more money than there is", "amount", event(category="vote-buying", offered={"value": "99999999999999", "currency": "EUR"})),
    ("turnout in the campaign", "phase", {**situation("2027-05-21T00:00:00Z", turnout_ppm=5), **election()}),
    ("a situation of years ago", "long", situation("2024-05-21T00:00:00Z")),
    ("no impact on thousands", "impact", incident(impact="none", users_affected=50_000)),
    ("final, and worsening", "stage", incident(stage="final-report", impact="large", outlook="worsening")),
    ("notified at two times", "clock", {**incident(notified_at="2027-05-23T08:00:00Z"), **clock("nis2-notification", met="2027-05-22T10:00:00Z")}),
    ("a remedy before the number", "patch", flawed(patch_at="2019-03-01T00:00:00Z")),
    ("records of 0 persons", "count", breach(subjects_approx=0, records_approx=7)),
    ("an exception that is not used", "art34", breach(risk="high-risk", art34="required", art34_reason="encrypted")),
    ("explained in three words", "explanation", notice(explanation="It is bad.")),
    ("nothing measured", "count", body("systemic-risk", **RISK, measured=[{"samples": 0, "failures": 0}])),
    ("targeted by religion", "infringement", advertisement(targeting=["religion"], special_category_profiling=False)),
    ("a minute to answer", "urgency", body("rfi", question="q", to=["csirt"], respond_by="2027-05-23T19:41:30Z")),
    ("a lesson due before it", "expired", lessons_due("2019-06-30")),
    ("future, and begun", "urgency", {"urgency": "future", "onset": "2001-01-01T00:00:00Z"}),
    ("past, and to come", "urgency", {"urgency": "past", "onset": "2027-06-01T00:00:00Z", "expires": "2027-06-20T00:00:00Z"}),
    ("seen, and not once", "count", seen(count=0, last_seen=EARLIER)),
    ("an address as a name", "type", seen("198.51.100.7", "domain-name")),
    ("a tag of words", "type", seen("stay at home", "hashtag")),
    ("a short wallet", "type", seen("1234", "crypto-wallet")),
    ("who acts on himself", "target", {"attribution": {"level": "assessed", "actors": [STATE]}, "targets": [{"kind": "other", "name": "Directorate 4"}]}),
    ("a film as a picture", "media-type", file(title="screen.mp4")),
    ("a polling place without name or code", "area", {"areas": [{"scope": "polling-place", "country": "XA"}]}),
    ("in force in ten years", "long", listing(in_force="2037-05-21")),
    ("a certificate on polling day", "stage", {**event(stage="certification"), **election(phase="polling")}),
)  # fmt: skip

SOUND: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a test of sirens", told(headline="Test of sirens on Tuesday", summary="This is a test of the civil protection.")),
    ("a leaflet that is quoted", {**CLEAR, **told(headline="A leaflet marked “for internal use only” is forged")}),
    ("a string of an attack", told(headline="A probe with ${jndi:ldap://x} had no effect")),
    ("an exercise of the army", told(summary="An exercise of the army took place next door.")),
    ("an exercise on polling day", {**election(phase="polling", polling_first="2027-06-13"), "status": "exercise", "exercise_id": "e-1"}),
    ("an exercise of next year", {**incident(detected="2028-01-01T00:00:00Z"), "status": "exercise", "exercise_id": "e-1"}),
    ("a group, unattributed", {"attribution": {"level": "unattributed", "actors": [SPARE]}}),
    ("a ban for a person and an enterprise", listing(measures=["travel-ban"], listed=BOTH)),
    ("a listing as the law prints it", listing(listed=[AS_PRINTED])),
    ("a company with its address", told(summary="Harbour Trade Ltd, Quay Street 3, printed them.")),
    ("what is near a figure", {**event(units_affected=2), **told(headline="Two of 61 polling places had no power")}),
    ("a figure in millions", {**breach(subjects_approx=4_100_000), **told(headline="The roll of 4.1 million voters")}),
    ("the hours of the law", {**calendar(), **told(public_line="Vote on 13 June, 07:00 to 21:00.")}),
    ("hours in UTC", {**calendar(), **told(summary="Polls are open from 05:00 to 19:00 UTC on 13 June.")}),
    ("a day that is moved", {**calendar(), **told(headline="Vote moved from 6 June to 13 June")}),
    ("a domain to be blocked", acts("mitigate-technical", "Block the domain at your mail gateway.")),
    ("a platform that is asked", acts("notify-platform", "Remove the post if it breaks your terms.")),
    ("Macedonian with Latin abbreviations", told(lang="mk", headline="DDoS-напад и SMSите од вчера", summary="Сајтот работи, без последици за гласањето.")),
    ("an empty log", file(sha256=EMPTY, size=0)),
    ("a small town of one island", {**event(voters_affected=41, electorate_share_ppm=1_000_000), **election("xa-mun-2027", "municipal")}),
    ("a month to answer", body("rfi", question="q", to=["csirt"], respond_by="2027-06-23T21:59:59Z")),
    ("an account of an office", seen("@election.help", "user-account", actionable=False)),
    ("a technique by its name", named("Spearphishing attachment")),
    ("a technique by a name of one's own", named("Invoices with a macro")),
    ("seen in the past", seen(first_seen=EARLIER)),
    ("a year to answer", body("rfi", question="q", to=["csirt"], respond_by="2028-05-20T12:00:00Z")),
    ("a week without a measure", measure(visibility=[], count=0, period_start="2027-05-01", period_end="2027-05-07")),
    ("a cancel of what was not significant", {"msg_type": "cancel", **refers("cancels"), **incident(stage="final-report", significant=False, impact="none")}),
    ("looked, and not seen", {**body("feedback", verdict="sighting", seen_count=0), **refers("answers"), **told(headline="No hit in thirty days of logs")}),
    ("a vote that is off, and says so", {**called_off(), **told(public_line="There will be no vote on 13 June.")}),
    ("not affected, and nothing to do", flawed(status="known-not-affected", remediation="No update is needed.")),
    ("an exercise that touches nobody", {"status": "exercise", "exercise_id": "e-1", **told(summary="No real systems are touched.")}),
    ("acquitted, and not sentenced", {**STRICT, **justice("acquittal"), **told(headline="Nobody was sentenced")}),
)  # fmt: skip


@pytest.mark.parametrize(("word", "changes"), [row[1:] for row in DOUBTED], ids=[row[0] for row in DOUBTED])
def test_a_person_is_asked(word: str, changes: dict[str, Any]) -> None:
    """Publishing stops, by this word."""
    assert word in {each.rule for each in doubts(made(changes))}


@pytest.mark.parametrize(("word", "changes"), [row[1:] for row in REMARKED], ids=[row[0] for row in REMARKED])
def test_what_is_odd_is_told(word: str, changes: dict[str, Any]) -> None:
    """It is carried all the same, with a remark of this word."""
    assert word in {each.rule for each in remarks(made(changes))}


@pytest.mark.parametrize(("word", "changes"), [row[1:] for row in DOUBTED], ids=[row[0] for row in DOUBTED])
def test_a_reader_sees_that_a_person_was_asked(word: str, changes: dict[str, Any]) -> None:
    """The label names the doubt, once; remarks are labels too."""
    told_ = labels(made(changes))
    assert told_.count(f"doubt:{word}") == 1
    assert {each.removeprefix("odd:") for each in told_ if each.startswith("odd:")} == {
        each.rule for each in remarks(made(changes))
    }


@pytest.mark.parametrize("changes", [row[1] for row in SOUND], ids=[row[0] for row in SOUND])
def test_what_only_looks_odd_is_left_alone(changes: dict[str, Any]) -> None:
    """Neither doubt nor remark."""
    b = made(changes)
    assert not doubts(b)
    assert not remarks(b)
