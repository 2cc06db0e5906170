"""Vectors of the rules that hold a bulletin to the truth: what is false, beside what is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Expected = tuple[tuple[str, str], ...]
Case = tuple[str, str, dict[str, Any], Expected]

LATER = "2027-05-24T19:41:00Z"
EARLIER = "2027-05-22T19:41:00Z"
ID = "0196fe2f-9be0-7000-8000-00000000000a"
CLEAR = {"tlp": "clear", "pap": "clear", "audience": "public"}
STRICT = {"tlp": "amber+strict", "audience": "eu-csirts"}
RIGHTS = {"legality": True, "necessity": True, "proportionality": True}
ROLES = ("impersonating-site", "impersonated")
WORDS = {"lang": "en", "headline": "Leaflets name a wrong day", "summary": "A correction was sent."}


def seen(value: str = "192.0.2.7", kind: str = "ipv4-addr", **fields: Any) -> dict[str, Any]:
    """One observable, fit for matching."""
    return {"observables": [{"type": kind, "personal": "none", "value": value, "actionable": True, **fields}]}


def body(kind: str, **fields: Any) -> dict[str, Any]:
    """A body."""
    return {"body": {"kind": kind, **fields}}


def told(**fields: Any) -> dict[str, Any]:
    """The words."""
    return {"info": [{**WORDS, **fields}]}


def window(phase: str, start: str, end: str, **fields: Any) -> dict[str, Any]:
    """One window of a calendar."""
    return {"phase": phase, "start": f"2027-{start}:00:00Z", "end": f"2027-{end}:00:00Z", **fields}


POLLS = window("polling", "06-13T05", "06-13T19")


def calendar(*windows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A calendar of polls and more."""
    return body("election-calendar", windows=[POLLS, *windows], tz="Europe/Vienna", **fields)


def election(name: str = "xa-parl-2027", kind: str = "parliamentary", **fields: Any) -> dict[str, Any]:
    """The election that is meant."""
    return {"election": {"id": name, "type": kind, "phase": "campaign", **fields}}


def breach(**fields: Any) -> dict[str, Any]:
    """A breach with its deadline."""
    given = {
        "nature": ["confidentiality"],
        "aware": "2027-05-22T08:00:00Z",
        "controller_kind": "party",
        "data_categories": ["contact"],
        "subject_categories": ["voters"],
        "risk": "risk",
    }
    return {**body("data-breach", **given | fields), **clock()}


def clock(name: str = "gdpr-33", started: str = "2027-05-22T08:00:00Z", **fields: Any) -> dict[str, Any]:
    """One deadline."""
    return {"deadlines": [{"clock": name, "started": started, "due": "2027-05-25T08:00:00Z", **fields}]}


def order(**fields: Any) -> dict[str, Any]:
    """An order with its check of rights."""
    given = {
        "article": 9,
        "issuing_authority": "xa-court",
        "provider": "Example Platform",
        "legal_basis": ["national:XA:Electoral-Act#71"],
        "reasons": "A false polling day in the name of the commission.",
        "territorial_scope": ["XA"],
        "redress": "Administrative court of XA, within one month.",
        "items": [{"url": "https://social.example/p/1", "platform": "social", "content_types": ["image"]}],
    }
    return {**body("content-order", **given | fields), "rights": RIGHTS}


def notice(**fields: Any) -> dict[str, Any]:
    """A notice of one item."""
    given = {
        "channel": "art16-notice",
        "items": [{"url": "https://social.example/p/1", "platform": "social", "content_types": ["image"]}],
        "category": "scams-and-fraud",
        "explanation": "It asks for a fee to vote.",
        "bona_fide": True,
    }
    return body("content-notice", **given | fields)


def incident(**fields: Any) -> dict[str, Any]:
    """A cyber incident."""
    given = {"stage": "early-warning", "classification": "availability:ddos", "significant": True}
    return body("cyber-incident", **given | {"detected": EARLIER} | fields)


def advertisement(**fields: Any) -> dict[str, Any]:
    """A political advertisement."""
    return body("political-ad", **{"publisher": "Feed", "ad_refs": ["c/1"], "infringements": []} | fields)


def flaw(cvss: str, score: int) -> dict[str, Any]:
    """A vulnerability with its score."""
    return body("vulnerability", ids=["CVE-2027-41234"], products=["Poll book"], cvss=cvss, score_x10=score)


def listing(**fields: Any) -> dict[str, Any]:
    """A listing."""
    given = {
        "event": "listed",
        "programme": "XXTEST",
        "authority": "other",
        "regulation": "celex:32024R2642",
        "published": "2027-05-20",
        "in_force": "2027-05-21",
        "measures": ["asset-freeze"],
        "listed": [{"subject": "enterprise", "names": [{"whole": "Example Works"}]}],
    }
    return {**body("sanctions-listing", **given | fields), **CLEAR}


def refers(rel: str = "derived-from", **fields: Any) -> dict[str, Any]:
    """One reference."""
    return {"references": [{"id": ID, "rel": rel, **fields}]}


def dimensions(*counts: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Counts of a report."""
    return [{"dimension": name, "incidents": n, "major": major} for name, n, major in counts]


def report(*counts: tuple[str, int, int], end: str = EARLIER) -> dict[str, Any]:
    """A situation report of a day."""
    period = {"period_start": "2027-05-21T19:41:00Z", "period_end": end, "posture": "baseline"}
    return body("situation-report", **period, dimensions=dimensions(*(counts or (("physical", 1, 0),))))


def _times() -> Iterator[Case]:
    first = "$.observables[0].first_seen"
    yield "seen before it is told", "R32", seen(first_seen=EARLIER, last_seen=EARLIER), ()
    yield "seen four minutes ahead: a clock", "R32", seen(first_seen="2027-05-23T19:45:00Z"), ()
    yield "seen tomorrow", "R32", seen(first_seen=LATER), (("R32", first),)
    yield "detected tomorrow", "R32", incident(detected=LATER), (("R32", "$.body.detected"),)
    yield "a period that is not over", "R32", report(end=LATER), (("R32", "$.body.period_end"),)
    yield "last seen first", "R33", seen(first_seen=EARLIER, last_seen="2027-05-21T00:00:00Z"), (
        ("R33", "$.observables[0].last_seen"),
    )  # fmt: skip
    yield "in effect before it expires", "R33", {"effective": "2027-06-22T19:40:00Z"}, ()
    yield "in effect as it expires", "R33", {"effective": "2027-06-22T19:41:00Z"}, (("R33", "$.expires"),)
    yield "due before it started", "R33", {**breach(), **clock(due="2027-05-22T07:00:00Z")}, (
        ("R33", "$.deadlines[0].due"),
    )  # fmt: skip
    yield "known of before it began", "R33", breach(started=EARLIER), (("R33", "$.body.aware"),)
    yield "a listing in force before it is published", "R33", listing(in_force="2027-05-19"), (
        ("R33", "$.body.in_force"),
    )  # fmt: skip
    yield "votes counted after the polls", "R34", calendar(window("counting", "06-13T19", "06-15T10")), ()
    yield "votes counted a week before", "R34", calendar(window("counting", "06-05T19", "06-06T10")), (
        ("R34", "$.body.windows[1].start"),
    )  # fmt: skip
    second = (window("polling", "06-27T05", "06-27T19", round=2), window("counting", "06-13T19", "06-14T10"))
    yield "counted between two rounds", "R34", calendar(*second), ()
    yield "a campaign after the vote", "R34", calendar(window("campaign", "06-14T00", "06-15T00")), (
        ("R34", "$.body.windows[1].start"),
    )  # fmt: skip
    yield "results as the polls close", "R34", calendar(results_embargo_until="2027-06-13T19:00:00Z"), ()
    yield "results at noon", "R34", calendar(results_embargo_until="2027-06-13T10:00:00Z"), (
        ("R34", "$.body.results_embargo_until"),
    )  # fmt: skip
    yield "an election of this year", "R35", {**calendar(), **election()}, ()
    yield "an election of another year", "R35", {**calendar(), **election("xa-parl-2026")}, (
        ("R35", "$.body.windows"),
    )  # fmt: skip
    moved = {"msg_type": "update", **refers("supersedes")}
    yield "one that was put off", "R35", {**calendar(), **election("xa-parl-2026"), **moved}, ()
    yield "another day", "R35", {**calendar(), **election(polling_first="2027-06-10")}, (
        ("R35", "$.election.polling_first"),
    )  # fmt: skip


def _law() -> Iterator[Case]:
    cited = "$.legal[0].ref"
    yield "an article that there is", "R36", {"legal": [{"ref": "celex:32016R0679#99", "role": "duty"}]}, ()
    consolidated = {"legal": [{"ref": "celex:02022L2555-20221227#30", "role": "duty"}]}
    yield "a consolidated text", "R36", consolidated, ()
    beyond = {"legal": [{"ref": "celex:32016R0679#100", "role": "duty"}]}
    yield "an article that there is not", "R36", beyond, (("R36", cited),)
    yield "an act of years to come", "R36", {"legal": [{"ref": "celex:32031R0001", "role": "duty"}]}, (
        ("R36", cited),
    )  # fmt: skip
    yield "an order by electoral law", "R37", order(), ()
    for ref in ("celex:32016R0679#33", "celex:32022R2065#16", "soft:code-of-conduct"):
        yield f"an order by {ref}", "R37", order(legal_basis=[ref]), (("R37", "$.body.legal_basis"),)
    yield "a listing by a law on content", "R37", listing(regulation="celex:32022R2065#9"), (
        ("R37", "$.body.regulation"),
    )  # fmt: skip
    asks = order(article=10, items=[], information_requested="Who pays for the account.")
    yield "an order that asks", "R38", asks, ()
    asks = order(article=10, items=[])
    yield "an order that asks nothing", "R38", asks, (("R38", "$.body.information_requested"),)
    yield "an order about nothing", "R38", order(items=[]), (("R38", "$.body.items"),)
    yield "no way to contest it", "R38", order(redress="None."), (("R38", "$.body.redress"),)
    satire = {"rights": {**RIGHTS, "editorial_or_satire": True}}
    for none in ("No appeal is possible.", "This order is final.", "Kein Rechtsmittel möglich."):
        yield f"no way to contest: {none}", "R38", order(redress=none), (("R38", "$.body.redress"),)
    wanted = {"rights": {**RIGHTS, "redress": "There is no remedy."}}
    yield "a check without a way to contest", "R38", wanted, (("R38", "$.rights.redress"),)
    yield "a law that is repealed", "R36", {"legal": [{"ref": "celex:31995L0046#7", "role": "duty"}]}, (
        ("R36", "$.legal[0].ref"),
    )  # fmt: skip
    yield "satire ordered away", "R39", {**order(), **satire}, (("R39", "$.rights.editorial_or_satire"),)
    lawful = {"rights": {**RIGHTS, "content_status": "lawful"}}
    yield "lawful content ordered away", "R39", {**order(), **lawful}, (("R39", "$.rights.content_status"),)
    withdrawn = {"msg_type": "cancel", **refers("cancels")}
    yield "an order withdrawn, since it was lawful", "R39", {**order(), **lawful, **withdrawn}, ()
    yield "a notice", "R40", notice(), ()
    yield "a notice in bad faith", "R40", notice(bona_fide=False), (("R40", "$.body.bona_fide"),)
    nowhere = [{"platform": "social", "content_types": ["image"]}]
    yield "a notice of nowhere", "R40", notice(items=nowhere), (("R40", "$.body.items[0]"),)
    yield "a trusted flagger that is none", "R40", notice(channel="art22-trusted-flagger"), (
        ("R40", "$.body.channel"),
    )  # fmt: skip
    yield "a breach in time", "R41", breach(), ()
    late = clock(met="2027-05-23T19:00:00Z", due="2027-05-23T08:00:00Z")
    yield (
        "a breach that risks nothing",
        "R18",
        {**breach(risk="unlikely", art34="not-required"), "deadlines": []},
        (),
    )
    yield "a breach under a clock of its country", "R18", {**breach(), **clock("xn-national")}, ()
    yield "a breach under a clock of another thing", "R18", {**breach(), **clock("nis2-early-warning")}, (
        ("R18", "$.deadlines"),
    )  # fmt: skip
    exempt = {"risk": "high-risk", "art34": "not-required"}
    yield "encrypted, so nobody is told", "R18", breach(**exempt, art34_reason="encrypted"), ()
    yield "nobody is told, for no reason", "R18", breach(**exempt), (("R18", "$.body.art34"),)
    yield "a breach told late", "R41", {**breach(), **late}, (("R41", "$.body.delay_reason"),)
    yield "a breach told late, with reasons", "R41", {**breach(delay_reason="A storm."), **late}, ()
    began = clock(started="2027-05-21T08:00:00Z", due="2027-05-24T08:00:00Z")
    yield "a clock that starts before anybody knew", "R41", {**breach(), **began}, (
        ("R41", "$.deadlines[0].started"),
    )  # fmt: skip
    union = {"legal": [{"ref": "celex:32018R1725#34", "role": "duty"}]}
    yield "a breach at a Union body", "R41", {**breach(), **clock("eudpr-34"), **union}, ()
    yield "one under the wrong clock", "R41", {**breach(), **union}, (("R41", "$.deadlines[0].clock"),)
    malice = {"root_cause": "malicious-actions"}
    yield "malice", "R42", incident(suspected_malicious=True, **malice), ()
    yield "malice without any", "R42", incident(suspected_malicious=False, **malice), (
        ("R42", "$.body.root_cause"),
    )  # fmt: skip
    foreign = {"infringements": ["third-country-sponsor"], "sponsor_country": "XM"}
    yield "a sponsor abroad", "R43", advertisement(**foreign), ()
    home = advertisement(**{**foreign, "sponsor_country": "XA"})
    yield "a sponsor at home", "R43", home, (("R43", "$.body.infringements"),)
    said = {
        "platform": "social",
        "source_type": "article-16",
        "ground": "illegal-content",
        "category": "violence",
    }
    yield "a label", "R44", body("platform-measure", **said, visibility=["labelled"]), ()
    yield "no measure", "R44", body("platform-measure", **said), (("R44", "$.body.visibility"),)


def _markings() -> Iterator[Case]:
    yield "few may read it, few may act", "R45", {**STRICT, "pap": "amber"}, ()
    yield "few may read it, all may act", "R45", {**STRICT, "pap": "clear"}, (("R45", "$.pap"),)
    yield "all may read it, none may act", "R45", {**CLEAR, "pap": "red"}, (("R45", "$.pap"),)
    yield "an embargo", "R46", {"handling": {"embargo_until": LATER}}, ()
    forever = {"handling": {"embargo_until": "2027-06-22T19:41:00Z"}}
    yield "an embargo until it expires", "R46", forever, (("R46", "$.handling.embargo_until"),)
    yield "for all, and for some", "R46", {**CLEAR, "handling": {"releasable_to": ["XA"]}}, (
        ("R46", "$.handling.releasable_to"),
    )  # fmt: skip
    tell = {"actions": [{"kind": "notify-affected", "to": ["data-controller"], "text": "Write to them."}]}
    yield "tell them, and do not", "R46", {"handling": {"notify_affected": False}, **tell}, (
        ("R46", "$.actions[0].kind"),
    )  # fmt: skip
    ask = {"to": ["csirt"], "text": "Please do."}
    blocking = {"actions": [{"kind": "monitor", **ask}, {"kind": "block-indicator", **ask}]}
    naming = {"actions": [{"kind": "public-attribution", **ask}]}
    yield "block what all may act on", "R70", {"pap": "green", **blocking}, ()
    yield "block what is to be watched", "R70", {"pap": "amber", **blocking}, (("R70", "$.actions[1].kind"),)
    yield "name whom one may look up", "R70", {"pap": "amber", **naming}, ()
    yield "name whom nobody may notice", "R70", {"pap": "red", **naming}, (("R70", "$.actions[0].kind"),)
    withheld = {"handling": {"anonymise_source": True}}
    came = {"format": "misp-event", "adapter": "xa-cyber", "original_sha256": "0" * 64}
    yield "a source by its digest", "R71", {
        **withheld, "provenance": [came, {**came, "original_id": f"sha256:{'0' * 32}"}],
    }, ()  # fmt: skip
    yield "a source by its id", "R71", {**withheld, "provenance": [{**came, "original_id": ID}]}, (
        ("R71", "$.provenance[0].original_id"),
    )  # fmt: skip
    yield "a source that may be named", "R71", {"provenance": [{**came, "original_id": ID}]}, ()
    leak = "A paper marked SECRET UE/EU SECRET lay on a public share."
    yield "a report about a leak", "R47", told(summary=leak), ()
    for text in ("SECRET UE/EU SECRET – a network", "RESTREINT UE\nA network", "VS-NfD: a network"):
        yield f"a marking: {text[:8]}", "R47", told(headline=text), (("R47", "$.info[0].headline"),)
    yield "a label", "R47", {"labels": ["euci:restreint-ue"]}, (("R47", "$.labels[0]"),)
    yield "another marking in the words", "R48", told(summary="TLP:RED. Tell nobody."), (
        ("R48", "$.info[0].summary"),
    )  # fmt: skip
    yield "another marking in a label", "R48", {"labels": ["tlp:amber"]}, (("R48", "$.labels[0]"),)
    yield "the same marking in a label", "R48", {"labels": ["tlp:green"]}, ()


def _numbers() -> Iterator[Case]:
    yield "parts within the whole", "R49", report(("physical", 4, 1)), ()
    yield "more major ones than all", "R49", report(("physical", 4, 9)), (
        ("R49", "$.body.dimensions[0].major"),
    )  # fmt: skip
    yield "a dimension twice", "R49", report(("physical", 4, 1), ("physical", 1, 0)), (
        ("R49", "$.body.dimensions[1].dimension"),
    )  # fmt: skip
    yield "fewer records than persons", "R49", breach(subjects_approx=740, records_approx=3), (
        ("R49", "$.body.records_approx"),
    )  # fmt: skip
    yield "an amount of nothing", "R49", advertisement(amount_minor=5), (("R49", "$.body.currency"),)
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    yield "a score", "R50", flaw(vector, 98), ()
    yield "another score", "R50", flaw(vector, 53), (("R50", "$.body.score_x10"),)
    yield "a score of nothing", "R50", flaw(vector[:-11] + "C:N/I:N/A:N", 98), (("R50", "$.body.score_x10"),)
    yield "half a vector", "R50", flaw("CVSS:3.1/AV:N/AC:L", 98), (("R50", "$.body.cvss"),)
    four = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    yield "a score of version 4", "R50", flaw(four, 93), ()
    yield "a word with its figure", "R51", {"confidence": {"score": 95, "likelihood": "almost-certain"}}, ()
    doubtful = {"confidence": {"score": 5, "likelihood": "almost-certain"}, "certainty": "likely"}
    yield "a word against its figure", "R51", doubtful, (("R51", "$.confidence.likelihood"),)
    never = {"confidence": {"credibility": 2, "likelihood": "almost-no-chance"}}
    yield "observed, by no chance", "R51", never, (("R51", "$.certainty"),)


def _references() -> Iterator[Case]:
    mine = {"msg_type": "update", **refers("supersedes", issuer="xa-csirt")}
    yield "one's own replaced", "R52", mine, ()
    theirs = {"msg_type": "update", **refers("supersedes", issuer="xb-csirt")}
    yield "another's replaced", "R52", theirs, (("R52", "$.references[0].issuer"),)
    itself = {"references": [{"id": "0196fe2f-9be0-7000-8000-000000000001", "rel": "derived-from"}]}
    yield "itself", "R52", itself, (("R52", "$.references[0].id"),)
    future = {"references": [{"id": "01ffffff-9be0-7000-8000-000000000001", "rel": "derived-from"}]}
    yield "what comes later", "R52", future, (("R52", "$.references[0].id"),)
    both = {"msg_type": "cancel", "references": [*refers("cancels")["references"], *refers()["references"]]}
    yield "ended and relied on", "R52", both, (("R52", "$.references[1]"),)
    torn = {"references": [*refers("corroborates")["references"], *refers("contradicts")["references"]]}
    yield "confirmed and contradicted", "R52", torn, (("R52", "$.references[1]"),)
    yield "one's own confirmed", "R52", refers("corroborates", issuer="xa-csirt"), (
        ("R52", "$.references[0].issuer"),
    )  # fmt: skip
    yield "an alert that replaces", "R53", refers("supersedes"), (("R53", "$.references[0].rel"),)
    ask = {"question": "Have you seen it?", "respond_by": LATER}
    yield "a question to others", "R54", body("rfi", **ask, to=["csirt"]), ()
    yield "a question to oneself", "R54", body("rfi", **ask, to=["xa-csirt"]), (("R54", "$.body.to"),)
    me = {"id": "xa-csirt", "kind": "csirt", "domain": "cyber", "country": "XA"}
    yield "with oneself", "R54", {"co_issuers": [me]}, (("R54", "$.co_issuers[0].id"),)
    yield "a handover to nobody", "R54", {**body("feedback", verdict="handover"), **refers("answers")}, (
        ("R54", "$.body.handover_to"),
    )  # fmt: skip
    asks = {"verdict": "question", "text": "Which version is affected?"}
    yield (
        "a question until when",
        "R54",
        {**body("feedback", **asks, respond_by=LATER), **refers("answers")},
        (),
    )
    for comment, said, path in (
        ("a question without words", {"verdict": "question"}, "text"),
        ("a question before it is asked", {**asks, "respond_by": EARLIER}, "respond_by"),
        ("a sighting until when", {"verdict": "sighting", "respond_by": LATER}, "respond_by"),
        ("a dispute about the marking", {"verdict": "dispute", "relax_to": "green"}, "relax_to"),
        ("a wider marking that is none", {"verdict": "request-upgrade", "relax_to": "red"}, "relax_to"),
    ):
        yield comment, "R54", {**body("feedback", **said), **refers("answers")}, (("R54", f"$.body.{path}"),)
    wider = {"verdict": "request-upgrade", "relax_to": "green"}
    yield "a wider marking", "R54", {**body("feedback", **wider), **refers("answers")}, ()
    place = {"scope": "region", "country": "XA", "system": "nuts-2024"}
    yield "a region in its country", "R55", {"areas": [{**place, "code": "XA21"}]}, ()
    yield "a region in another", "R55", {"areas": [{**place, "code": "XB21"}]}, (("R55", "$.areas[0].code"),)
    yield "an election of its type", "R56", election(), ()
    yield "one of another type", "R56", election(kind="municipal"), (("R56", "$.election.type"),)
    lines = {"mode": "holding-line", "lines": ["Nobody was struck off the roll."]}
    yield "lines", "R57", body("stratcom", **lines, do_not_repeat=["the lighthouse story"]), ()
    silent = body("stratcom", **{**lines, "mode": "strategic-silence"})
    yield "silence that speaks", "R57", {**silent, **told(public_line="No comment.")}, (
        ("R57", "$.info[0].public_line"),
    )  # fmt: skip
    yield "a line that must not be", "R57", body("stratcom", **lines, do_not_repeat=["Struck off the roll"]), (
        ("R57", "$.body.lines[0]"),
    )  # fmt: skip


def _text() -> Iterator[Case]:
    headline = "$.info[0].headline"
    for comment, text in (
        ("Hebrew within isolates", "It says \u2067הקלפי נסגרה\u2069."),
        ("Hebrew as it is", "It says «הקלפי נסגרה»."),
        ("Persian with its joiner", "می‌خواهم"),
        ("two lines", "One.\nTwo."),
    ):
        yield comment, "R58", told(summary=text), ()
    for comment, text in (
        ("turned round", "Look at \u202eelpmaxe.snoitcele\u202c"),
        ("an isolate that stays open", "It says \u2067xyz."),
        ("a command to a terminal", "Read \u001b[2J this"),
        ("a letter that nobody sees", "elec\u200btions"),
        ("a separator that nobody sees", "elec\u2063tions"),
    ):
        yield comment, "R58", told(headline=text), (("R58", headline),)
    yield (
        "two scripts in one word",
        "R59",
        told(headline="Vote at \u0435lections.example"),
        (("R59", headline),),
    )
    yield "two scripts in two words", "R59", told(headline="IP-\u0430\u0434\u0440\u0435\u0441 of results"), ()
    yield "a letter that nobody takes for another", "R59", told(headline="\u03bcTorrent is not meant"), ()
    yield "an abbreviation with an ending", "R59", told(headline="SMS\u0438\u0442\u0435 are not ours"), ()
    fake = seen("\u0435lections.example", "domain-name", role="impersonating-site", actionable=False)
    yield "a look-alike told as one", "R59", {**told(headline="False: \u0435lections.example"), **fake}, ()
    yield "nothing but blanks", "R60", told(headline=" \u00a0 "), (("R60", headline),)
    yield "nothing but signs", "R60", told(headline="…"), (("R60", headline),)
    yield "the right that voters exercise", "R61", told(summary="Voters can exercise their right."), ()
    marked = told(headline="EXERCISE EXERCISE EXERCISE – the site is down")
    yield "an exercise that is marked in words only", "R61", marked, (("R61", headline),)
    yield "an exercise", "R61", {**marked, "status": "exercise", "exercise_id": "ce-2027"}, ()


def _values() -> Iterator[Case]:
    at = "$.observables[0].value"
    yield "an address", "R62", seen("2001:db8::7", "ipv6-addr"), ()
    for kind, value in (
        ("ipv4-addr", "192.0.2.700"),
        ("ipv4-addr", "2001:db8::7"),
        ("domain-name", "https://a.example/b"),
        ("url", "a.example"),
        ("email-addr", "a.example"),
    ):
        yield f"{value} as {kind}", "R62", seen(value, kind), (("R62", at),)
    yield "a name with what nobody sees", "R62", seen("a\u200b.example", "domain-name"), (("R62", at),)
    yield "a wide network, to read only", "R63", seen("0.0.0.0/0", actionable=False), ()
    for kind, value in (
        ("ipv4-addr", "0.0.0.0/0"),
        ("ipv4-addr", "127.0.0.1"),
        ("ipv6-addr", "::1"),
        ("domain-name", "com"),
        ("domain-name", "co.uk"),
        ("domain-name", "localhost"),
        ("file", "d41d8cd98f00b204e9800998ecf8427e"),
        ("url", "*"),
    ):
        expected = (("R62", at), ("R63", at)) if value == "*" else (("R63", at),)
        yield f"{value} to be matched", "R63", seen(value, kind), expected
    genuine = seen("elections.example", "domain-name", role="impersonated")
    yield "the genuine site to be blocked", "R64", genuine, (("R64", "$.observables[0].actionable"),)
    pair = [{"type": "domain-name", "personal": "none", "value": "a.example", "role": role} for role in ROLES]
    yield "genuine and false at once", "R64", {"observables": pair}, (("R64", "$.observables[1].value"),)
    mixed = seen("\u0435lections.example", "domain-name", role="impersonated", actionable=False)
    yield "a look-alike as the genuine one", "R64", mixed, (("R64", at),)
    line = told(public_line="Look yourself up at elections.example.")
    yield "a hostile site to be visited", "R64", {**seen("elections.example", "domain-name"), **line}, (
        ("R64", "$.info[0].public_line"),
    )  # fmt: skip
    warned = told(public_line="Do not use elections-help.example.")
    yield (
        "a hostile site to be shunned",
        "R64",
        {**seen("elections-help.example", "domain-name"), **warned},
        (),
    )
    secret = "https://user:secret@a.example/"
    yield "a password in a URL", "R65", seen(secret, "url"), (("R65", at),)
    yield (
        "a password in words",
        "R65",
        told(summary=f"See {secret} for more."),
        (("R65", "$.info[0].summary"),),
    )
    for comment, text in (
        ("an office's mailbox", "Write to info@elections.example or press.office@elections.example."),
        ("a hotline", "Call 0800 000 000."),
        ("a number that is none", "GB82 WEST 1234 5698 7654 33 is no account."),
    ):
        yield comment, "R66", told(summary=text), ()
    for comment, text in (
        ("an account", "Pay to GB82 WEST 1234 5698 7654 32."),
        ("a national number", "The holder is 811228-9874."),
        ("a person's mailbox", "Write to maria.ejemplo@mail.example."),
    ):
        yield comment, "R66", told(summary=text), (("R66", "$.info[0].summary"),)
    yield "a free line", "R66", seen("0800 000 000", "phone-number"), ()
    yield "a sender's name", "R66", seen("VOTE-INFO", "phone-number"), ()
    yield "a person's telephone", "R66", seen("+99 555 123 4567", "phone-number"), (
        ("R66", "$.observables[0].personal"),
    )  # fmt: skip
    link = seen("https://a.example/?to=maria.ejemplo@mail.example", "url")
    yield "a person's mailbox in a link", "R66", link, (("R66", "$.observables[0].personal"),)
    person = seen("maria.ejemplo@mail.example", "email-addr")
    yield "a person's mailbox, called nobody's", "R66", person, (("R66", "$.observables[0].personal"),)


SEEN = seen(actionable=False)
NAMED = {"things": [{"kind": "outlet", "name": "The Example Mirror"}]}


def link(start: str, end: str, rel: str = "related-to", **fields: Any) -> dict[str, Any]:
    """One tie."""
    return {"links": [{"from": start, "rel": rel, "to": end, **fields}]}


def _ties() -> Iterator[Case]:
    tie = link("observables/0", "things/0", "belongs-to")
    yield "a site that belongs to an outlet", "R75", {**SEEN, **NAMED, **tie}, ()
    yield "what it is all about", "R75", {**SEEN, **link("observables/0", "body", confidence=60)}, ()
    yield "an address that is not there", "R75", {**SEEN, **NAMED, **link("observables/1", "things/0")}, (
        ("R75", "$.links[0].from"),
    )  # fmt: skip
    for end in (
        "things/0",
        "narratives/0",
        "actors/0",
        "targets/0",
        "ttps/0",
        "listed/0",
        "evidence/0",
        "references/0",
    ):
        yield f"{end} of none", "R75", {**SEEN, **link("observables/0", end)}, (("R75", "$.links[0].to"),)
    yield (
        "tied to itself",
        "R76",
        {**SEEN, **link("observables/0", "observables/0")},
        (("R76", "$.links[0]"),),
    )
    twice = {"links": [*tie["links"], *tie["links"]]}
    yield "the same tie twice", "R76", {**SEEN, **NAMED, **twice}, (("R76", "$.links[1]"),)
    other = {"links": [*tie["links"], *link("observables/0", "things/0", "publishes")["links"]]}
    yield "two ties of two", "R76", {**SEEN, **NAMED, **other}, ()
    nameless = {"things": [{"kind": "account", "platform": "social"}]}
    yield "an account that is not named", "R77", {**SEEN, **nameless, **link("things/0", "observables/0")}, ()
    yield "an account of nobody and nothing", "R77", nameless, (("R77", "$.things[0]"),)
    person = {"things": [{"kind": "person", "name": "Maria Ejemplo"}]}
    yield "a person, to many", "R77", person, (("R77", "$.things[0].name"),)
    yield "a person, strictly", "R77", {**person, **STRICT}, ()


def case(stage: str, **fields: Any) -> dict[str, Any]:
    """One step of enforcement."""
    given = {
        "addressee": "Example Platform",
        "addressee_kind": "platform",
        "provisions": ["celex:32022R2065#35.1"],
    }
    return body("enforcement", stage=stage, **given | fields)


def euros(value: str, currency: str = "EUR") -> dict[str, str]:
    """A sum."""
    return {"value": value, "currency": currency}


def _enforcement() -> Iterator[Case]:
    decided = {"opened": "2026-12-17", "decided": "2027-05-20", "finding": "infringement"}
    fined = {**decided, "fine": euros("120000000"), "turnover_ppm": 20_000}
    yield "proceedings are opened", "R78", case("proceedings", opened="2027-05-20"), ()
    yield "information is asked for", "R78", case("information-requested"), ()
    promise = ["No political advertising in the last week."]
    yield (
        "commitments are binding",
        "R78",
        case("commitments-binding", decided="2027-05-20", commitments=promise),
        (),
    )
    yield "a fine", "R78", case("fine", **fined, appeal_until="2027-07-30"), ()
    at = "$.body"
    for comment, change, path in (
        ("proceedings of no day", case("proceedings"), "opened"),
        ("a decision of no day", case("decision", finding="infringement"), "decided"),
        ("commitments to nothing", case("commitments-offered"), "commitments"),
        ("a decision that finds nothing", case("decision", decided="2027-05-20", finding="none"), "finding"),
        ("a fine of no sum", case("fine", **decided), "fine"),
        ("a penalty of no sum", case("periodic-penalty", decided="2027-05-20"), "penalty_per_day"),
        ("fined before the decision", case("proceedings", opened="2027-05-20", fine=euros("1")), "fine"),
        ("opened next month", case("proceedings", opened="2027-06-20"), "opened"),
        ("decided before it was opened", case("decision", **{**decided, "opened": "2027-05-21"}), "decided"),
        (
            "an appeal before the decision",
            case("decision", **decided, appeal_until="2027-05-01"),
            "appeal_until",
        ),
        ("final, and open to appeal", case("fine", **fined, final=True, appeal_until="2027-07-30"), "final"),
    ):
        yield comment, "R78", change, (("R78", f"{at}.{path}"),)
    none = {**decided, "fine": euros("0")}
    yield "a fine of nothing", "R79", case("fine", **none), (("R79", "$.body.fine.value"),)
    share = {"turnover_ppm": 20_000}
    yield "a share of no fine", "R79", case("decision", **decided, **share), (("R79", "$.body.turnover_ppm"),)
    above = {**fined, "turnover_ppm": 60_001}
    yield "more than six in a hundred", "R79", case("fine", **above), (("R79", "$.body.turnover_ppm"),)
    gdpr = {"provisions": ["celex:32016R0679#5.1.f"], "addressee_kind": "controller"}
    small = {**gdpr, "fine": euros("1500000"), "turnover_ppm": 55_000}
    yield "more than four in a hundred, of a small firm", "R79", case("fine", **decided, **small), ()
    large = {**small, "fine": euros("25000000.5")}
    yield "more than four in a hundred, of a large one", "R79", case("fine", **decided, **large), (
        ("R79", "$.body.turnover_ppm"),
    )  # fmt: skip
    national = {**above, "provisions": ["national:XA:Media-Act#9"]}
    yield "a national law, of which nothing is known", "R79", case("fine", **national), ()
    higher = {**above, "provisions": ["celex:32022L2555#21"], "fine": euros("30000000")}
    yield "a directive that lets national law set more", "R79", case("fine", **higher), ()


def checked(**fields: Any) -> dict[str, Any]:
    """One check of one file."""
    given = {
        "of": "observables/0",
        "method": "content-credentials",
        "c2pa": "present",
        "verdict": "authentic",
    }
    return {
        **SEEN,
        "media_checks": [{name: each for name, each in (given | fields).items() if each is not None}],
    }


def _media() -> Iterator[Case]:
    at = "$.media_checks[0]"
    yield "signed by its maker", "R80", checked(signer="Example Broadcaster"), ()
    yield (
        "a detector is nearly sure",
        "R80",
        checked(method="detector", c2pa=None, verdict="synthetic", certainty=93),
        (),
    )
    yield "no credentials, so nothing is known", "R80", checked(c2pa="absent", verdict="inconclusive"), ()
    for comment, change, path in (
        ("of what is not there", checked(of="evidence/0"), "of"),
        ("of a technique", checked(of="ttps/0"), "of"),
        ("credentials that nobody looked for", checked(c2pa=None), "c2pa"),
        ("synthetic for want of credentials", checked(c2pa="absent", verdict="synthetic"), "verdict"),
        ("authentic by broken credentials", checked(c2pa="invalid"), "verdict"),
        ("signed by nobody", checked(method="forensic", c2pa=None, signer="Example"), "signer"),
        ("a detector without a number", checked(method="detector", c2pa=None), "certainty"),
        ("surely inconclusive", checked(c2pa="absent", verdict="inconclusive", certainty=95), "certainty"),
        ("checked tomorrow", checked(checked=LATER), "checked"),
    ):
        yield comment, "R80", change, (("R80", f"{at}.{path}"),)
    fake = checked(method="forensic", c2pa=None, verdict="synthetic")
    fimi = body("fimi", scope="incident", methods=["deepfake-audio"], synthetic="none")
    yield "synthetic, and not", "R80", {**fake, **fimi}, (("R80", "$.body.synthetic"),)


def _regimes() -> Iterator[Case]:
    near = {"significant": False, "near_miss": True, "stage": "voluntary-report"}
    yield "a near miss", "R81", incident(**near), ()
    final = {"stage": "final-report", "impact": "minor", "regime": "nis2"}
    said = {
        "description": "The portal was down.",
        "root_cause": "system-failures",
        "mitigation": "It was mended.",
    }
    yield "a final report", "R81", incident(**final, **said), ()
    yield "a final report that says nothing", "R81", incident(**final), tuple(
        ("R81", f"$.body.{name}") for name in said
    )  # fmt: skip
    for comment, change, path in (
        ("a near miss that was significant", {**near, "significant": True}, "significant"),
        ("a near miss that hit many", {**near, "users_affected": 5}, "near_miss"),
        (
            "a near miss that is notified",
            {**near, "stage": "incident-notification", "impact": "none"},
            "stage",
        ),
        ("warned before it was detected", {"early_warning_at": "2027-05-22T08:00:00Z"}, "early_warning_at"),
        ("notified before it was detected", {"notified_at": "2027-05-22T08:00:00Z"}, "notified_at"),
        ("notified tomorrow", {"notified_at": LATER}, "notified_at"),
    ):
        yield comment, "R81", incident(**change), (("R81", f"$.body.{path}"),)
    nis2 = {"deadlines": [{"clock": "nis2-early-warning", "started": EARLIER, "due": "2027-05-23T19:41:00Z"}]}
    yield "the clock of a significant incident", "R82", {**incident(regime="nis2"), **nis2}, ()
    for comment, change in (("a voluntary report in time", near), ("a bank's clock", {"regime": "dora"})):
        yield comment, "R82", {**incident(**change), **nis2}, (("R82", "$.deadlines[0].clock"),)
    yield "a breach at the police", "R82", {**breach(regime="led"), **clock("led-30")}, ()
    yield "a breach under the GDPR, timed as at the police", "R82", {
        **breach(regime="gdpr"), "deadlines": [*clock()["deadlines"], *clock("led-30")["deadlines"]],
    }, (("R82", "$.deadlines[1].clock"),)  # fmt: skip
    flaw = {"ids": ["CVE-2027-41234"], "products": ["Poll book"]}
    yield "a patch to come", "R82", body("vulnerability", **flaw, patch_at=LATER), ()
    yield "fixed by a patch to come", "R82", body("vulnerability", **flaw, status="fixed", patch_at=LATER), (
        ("R82", "$.body.patch_at"),
    )  # fmt: skip


def _states() -> Iterator[Case]:
    cause = {"state": "postponed", "cause": "A candidate has died (Electoral Act, section 40)."}
    abroad = window(
        "polling", "06-13T05", "06-13T19", tz="America/Lima", area={"scope": "abroad", "country": "PE"}
    )
    yield (
        "put off, with another zone abroad",
        "R83",
        calendar(abroad, **cause, votes_void=True, replaces=ID),
        (),
    )
    for comment, change, path in (
        ("as ever, for a reason", calendar(cause="A flood."), "$.body.state"),
        ("a zone that is none", calendar({**abroad, "tz": "America/Atlantis"}), "$.body.windows[1].tz"),
        (
            "instead of a later one",
            calendar(**cause, replaces="01ffffff-9be0-7000-8000-00000000000a"),
            "$.body.replaces",
        ),
    ):
        yield comment, "R83", change, (("R83", path),)
    trouble = {"category": "outage", "stage": "polling"}
    longer = {"process_effect": "prolonged", "until": LATER, "decided_by": "Electoral commission of XA"}
    yield (
        "two hours more, on paper",
        "R83",
        body("election-incident", **trouble, **longer, fallback=["paper"]),
        (),
    )
    yield "nothing, and paper", "R83", body("election-incident", **trouble, fallback=["none", "paper"]), (
        ("R83", "$.body.fallback"),
    )  # fmt: skip
    risk = {"services": ["Chat"], "risks": ["electoral-processes"], "assessment": "It gives wrong days."}
    day = {"dimension": "cybercrime", "incidents": 3}
    report = {
        "period_start": "2027-05-20T00:00:00Z",
        "period_end": "2027-05-21T00:00:00Z",
        "posture": "baseline",
        "dimensions": [day, {"dimension": "disinformation", "incidents": 4}],
    }
    justice = {"offences": ["vote-buying"], "competent": "xa-court", "judicial_secrecy": False}
    lines = {"mode": "official-statement", "lines": ["Voting is on Sunday."]}
    yield (
        "61 of 400 answers are wrong",
        "R84",
        body("systemic-risk", **risk, measured=[{"samples": 400, "failures": 61, "lang": "de"}]),
        (),
    )
    yield "five incidents in two dimensions", "R84", body("situation-report", **report, incidents_total=5), ()
    yield "an advertisement in order", "R84", advertisement(finding="none", complaints=12), ()
    convicted = {**justice, "stage": "conviction", "sentence": "Two years, suspended."}
    yield "a conviction that may be appealed", "R84", body("legal-referral", **convicted, final=False), ()
    yield (
        "a conviction that is final",
        "R84",
        body("legal-referral", **convicted, final=True, presumption=False),
        (),
    )
    yield "lines that are not cleared", "R84", body("stratcom", **lines, cleared=False), ()
    annulled = {"event": "annulled", "judgment": "ECLI:EU:T:2027:123", "final_on": "2027-08-01"}
    yield "a listing annulled", "R84", {**listing(**annulled), **CLEAR}, ()
    for comment, change, path in (
        (
            "more wrong answers than answers",
            body("systemic-risk", **risk, measured=[{"samples": 1, "failures": 2}]),
            "measured[0].failures",
        ),
        (
            "more incidents than there are",
            body("situation-report", **report, incidents_total=8),
            "incidents_total",
        ),
        ("no infringement, and one", advertisement(finding="none", infringements=["no-label"]), "finding"),
        ("an infringement, and none", advertisement(finding="infringement"), "infringements"),
        ("set aside, and in force", order(state="set-aside", effect="given"), "effect"),
        ("a judgment that lists", {**listing(judgment="ECLI:EU:T:2027:123"), **CLEAR}, "judgment"),
        ("guilty before the end", body("legal-referral", **convicted, presumption=False), "presumption"),
        (
            "a sentence before the trial",
            body("legal-referral", **justice, stage="charge", sentence="Two years."),
            "sentence",
        ),
        (
            "lines for all that are not cleared",
            {**body("stratcom", **lines, cleared=False), **CLEAR},
            "cleared",
        ),
    ):
        yield comment, "R84", change, (("R84", f"$.body.{path}"),)
    said = body("stratcom", **lines, cleared=False)
    yield (
        "cleared, and not",
        "R84",
        {**said, **told(public_line="Voting is on Sunday.")},
        (("R84", "$.info[0].public_line"),),
    )
    answer = {"references": [{"id": ID, "rel": "answers"}]}
    sent = {"verdict": "handover", "handover_to": "xb-csirt", "reason": "forwarded"}
    yield "sent on", "R84", {**body("feedback", **sent, forwarded_to="xb-csirt"), **answer}, ()
    yield (
        "sent on to nobody",
        "R84",
        {**body("feedback", **sent), **answer},
        (("R84", "$.body.forwarded_to"),),
    )


def _claims() -> Iterator[Case]:
    crew = {"name": "Example Crew", "kind": "hacktivist"}
    for comment, actors, expected in (
        ("claimed by a group", [crew], ()),
        ("claimed by nobody", [], (("R85", "$.attribution.actors"),)),
    ):
        yield comment, "R85", {"attribution": {"level": "claimed", "actors": actors}}, expected
    for effect, right in (("prolonged", True), ("recount", False)):
        said = {
            "category": "polling-place-moved",
            "stage": "polling",
            "process_effect": effect,
            "until": LATER,
        }
        expected = () if right else (("R86", "$.body.until"),)
        yield f"voting until, {effect}", "R86", body("election-incident", **said), expected
    off = {"state": "postponed"}
    yield "a vote postponed for a reason", "R87", calendar(**off, cause="Flood; Decree 12/2027."), ()
    yield "a vote postponed for none", "R87", calendar(**off), (("R87", "$.body.cause"),)
    for stage, final, right in (
        ("conviction", True, True),
        ("appeal", False, True),
        ("appeal", True, False),
        ("investigation", True, False),
    ):
        case: dict[str, Any] = {
            "stage": stage,
            "offences": ["vote-buying"],
            "competent": "xa-court",
            "final": final,
        }
        expected = () if right else (("R88", "$.body.final"),)
        yield f"{stage}, final {final}", "R88", {**STRICT, **body("legal-referral", **case)}, expected
    spoken = [{"lang": "de", "text": "Niemand wurde gestrichen."}, "Nobody was struck off."]
    lines: dict[str, Any] = {"mode": "reactive", "lines": spoken, "cleared": False}
    never = [{"lang": "de", "text": "Niemand wurde gestrichen"}]
    yield "lines in two languages", "R57", body("stratcom", **lines), ()
    yield "what must not be repeated in German", "R57", body("stratcom", **lines, do_not_repeat=never), (
        ("R57", "$.body.lines[0]"),
    )  # fmt: skip
    yield "a blank line in German", "R60", body("stratcom", **{**lines, "lines": [{"lang": "de", "text": " "}]}), (
        ("R60", "$.body.lines[0].text"),
    )  # fmt: skip
    measure: dict[str, Any] = {
        "platform": "social",
        "source_type": "voluntary",
        "ground": "illegal-content",
        "category": "violence",
    }
    measure |= {"visibility": ["restored"], "count": 3}
    yield "measures restored", "R49", body("platform-measure", **measure, reversed=3), ()
    yield "more restored than made", "R49", body("platform-measure", **measure, reversed=4), (
        ("R49", "$.body.reversed"),
    )  # fmt: skip
    unmet = {**order(state="set-aside"), "rights": {**RIGHTS, "proportionality": False}}
    yield "an order set aside as not proportionate", "R11", unmet, ()
    yield "an order that is not proportionate", "R11", {**unmet, **order(state="made"), "rights": unmet["rights"]}, (
        ("R11", "$.rights"),
    )  # fmt: skip


LINES: dict[str, Any] = {"mode": "holding-line", "lines": ["Nobody was struck off the roll."]}
FLAW: dict[str, Any] = {"ids": ["CVE-2027-41234"], "products": ["p"]}
AFTER: dict[str, Any] = {
    "edition": "interim",
    "period_start": "2027-01-01",
    "period_end": "2027-05-20",
    "dimensions": [{"dimension": "physical", "incidents": 4}],
    "decisive_impact": "none-evidenced",
}
KEPT = {"title": "A page", "sha256": "0" * 64, "media_type": "text/html", "size": 7}


def item(url: str) -> dict[str, Any]:
    """A place of content."""
    return {"url": url, "platform": "social", "content_types": ["image"]}


def _places() -> Iterator[Case]:
    script, here, inner = "javascript:alert(1)", "http://localhost/2027", "https://intranet/notice"
    official = "https://elections.xa.example/2027"
    yield "an official page", "R89", {**calendar(official_url=official), **CLEAR}, ()
    yield "a page within a house, for the house", "R89", told(web=inner), ()
    yield (
        "a page within a house, for everybody",
        "R89",
        {**told(web=inner), **CLEAR},
        (("R89", "$.info[0].web"),),
    )
    yield "a page at an address within a house", "R89", {**told(web="https://192.168.1.7/notice"), **CLEAR}, (
        ("R89", "$.info[0].web"),
    )  # fmt: skip
    yield (
        "content at a place that only its platform opens",
        "R89",
        notice(items=[item("tg://resolve?domain=x")]),
        (),
    )
    yield (
        "an act as the source of a line",
        "R89",
        body("stratcom", **LINES, facts=["eli:reg/2022/2065/oj"]),
        (),
    )
    yield "evidence on a machine", "R89", {"evidence": [{**KEPT, "uri": "file://vault/page.html"}]}, ()
    for comment, change, path in (
        ("a script as an official page", calendar(official_url=script), "$.body.official_url"),
        ("an official page on this very machine", calendar(official_url=here), "$.body.official_url"),
        (
            "an official page at a port that there is not",
            calendar(official_url="https://xa.example:99999/"),
            "$.body.official_url",
        ),
        ("an official page of no host", calendar(official_url="https:///2027"), "$.body.official_url"),
        ("a script as a page", told(web=script), "$.info[0].web"),
        ("a script as content", notice(items=[item(script)]), "$.body.items[0].url"),
        ("content on this very machine", notice(items=[item("file:///tmp/a.png")]), "$.body.items[0].url"),
        ("a script to be removed", order(items=[item(script)]), "$.body.items[0].url"),
        ("a script as an advisory", body("vulnerability", **FLAW, advisory=script), "$.body.advisory"),
        ("a script as a publication", {**listing(publication_url=script), **CLEAR}, "$.body.publication_url"),
        (
            "a script as a report",
            body("post-election-report", **AFTER, report_url=script),
            "$.body.report_url",
        ),
        ("a script as a fact", body("stratcom", **LINES, facts=[script]), "$.body.facts[0]"),
        (
            "a script as a decision",
            case("proceedings", opened="2027-03-02", decision_url=script),
            "$.body.decision_url",
        ),
        (
            "a script as a review",
            body(
                "fimi",
                scope="campaign",
                methods=["inauthentic-network"],
                narratives=[{"text": "Pens are forged.", "claim_review": script}],
            ),
            "$.body.narratives[0].claim_review",
        ),
        ("a script as evidence", {"evidence": [{**KEPT, "uri": script}]}, "$.evidence[0].uri"),
    ):
        yield comment, "R89", change, (("R89", path),)


def _spans() -> Iterator[Case]:
    counting = {"phase": "counting", "start": "2027-06-13T19:00:00Z"}
    yield "counted for weeks", "R90", calendar({**counting, "end": "2027-07-13T19:00:00Z"}), ()
    yield "counted for a century", "R90", calendar({**counting, "end": "2127-06-14T19:00:00Z"}), (
        ("R90", "$.body.windows[1].end"),
    )  # fmt: skip
    longer = {"category": "outage", "stage": "polling", "until": "2028-05-23T20:00:00Z"}
    yield "repeated in a year", "R90", body("election-incident", **longer, process_effect="repeat-vote"), ()
    yield "prolonged by a year", "R90", body("election-incident", **longer, process_effect="prolonged"), (
        ("R90", "$.body.until"),
    )  # fmt: skip
    yield "a clock of a law that did not apply", "R91", clock("nis2-notification", started="2023-05-22T08:00:00Z"), (
        ("R91", "$.deadlines[0].started"),
    )  # fmt: skip
    yield "a clock of a country", "R91", clock("xa-act-7", started="2016-05-22T08:00:00Z"), ()
    yield "proceedings of long ago", "R91", case("proceedings", opened="2022-11-17"), ()
    yield (
        "proceedings under no law",
        "R91",
        case("proceedings", opened="2021-03-02"),
        (("R91", "$.body.opened"),),
    )
    yield (
        "listed before there was a list",
        "R91",
        {**listing(published="2023-05-01"), **CLEAR},
        (("R91", "$.body.published"),),
    )


def _askings() -> Iterator[Case]:
    ask: dict[str, Any] = {
        "question": "Have you seen it?",
        "to": ["csirt"],
        "respond_by": LATER,
        "passive_only": True,
    }

    def act(kind: str) -> dict[str, Any]:
        return {"actions": [{"kind": kind, "to": ["csirt"], "text": "Look into it."}]}

    yield "look, and verify", "R92", {**body("rfi", **ask), **act("verify")}, ()
    yield (
        "look, and block",
        "R92",
        {**body("rfi", **ask), **act("block-indicator")},
        (("R92", "$.actions[0].kind"),),
    )
    yield (
        "a question of nothing",
        "R54",
        body("rfi", **{**ask, "question": "n/a"}),
        (("R54", "$.body.question"),),
    )
    voted, unvoted = election(phase="review"), election()
    yield (
        "a report after the vote",
        "R93",
        {**body("post-election-report", **{**AFTER, "edition": "final"}), **voted},
        (),
    )
    yield "a report before the vote", "R93", {**body("post-election-report", **{**AFTER, "edition": "final"}), **unvoted}, (
        ("R93", "$.election.phase"),
    )  # fmt: skip
    ahead = election(phase="review", polling_first="2027-06-13")
    yield (
        "a report on a day to come",
        "R93",
        {**body("post-election-report", **AFTER), **ahead},
        (("R93", "$.election.polling_first"),),
    )
    justice = {
        "stage": "investigation",
        "offences": ["forgery"],
        "competent": "xa-court",
        "judicial_secrecy": False,
    }
    yield "assistance of two countries", "R54", body("legal-referral", **justice, mla=["XA", "XB"]), ()
    yield (
        "assistance of oneself",
        "R54",
        body("legal-referral", **justice, mla=["XA"]),
        (("R54", "$.body.mla"),),
    )
    yield "explained by nothing", "R40", notice(explanation="See above."), (("R40", "$.body.explanation"),)
    yield "ordered for nothing", "R38", order(reasons="N/A"), (("R38", "$.body.reasons"),)
    risk = {"services": ["Chat"], "risks": ["electoral-processes"]}
    yield (
        "a risk assessed by nothing",
        "R84",
        body("systemic-risk", **risk, assessment="to follow"),
        (("R84", "$.body.assessment"),),
    )
    yield (
        "put off for nothing",
        "R87",
        calendar(state="postponed", cause="siehe oben"),
        (("R87", "$.body.cause"),),
    )
    yield (
        "leaked, and only out of reach",
        "R41",
        breach(nature=["availability"], republished="leaked"),
        (("R41", "$.body.nature"),),
    )
    measure = {
        "platform": "social",
        "source_type": "article-16",
        "ground": "illegal-content",
        "category": "violence",
    }
    yield "a week without a measure", "R44", body("platform-measure", **measure, count=0), ()
    yield (
        "looked, and not seen",
        "R49",
        {**body("feedback", verdict="sighting", seen_count=0), "references": [{"id": ID, "rel": "answers"}]},
        (),
    )


def _ranges() -> Iterator[Case]:
    for comment, value, kind, right in (
        ("the last number of a network", "AS4294967295", "autonomous-system", True),
        ("a network by its name", "Example Networks", "autonomous-system", True),
        ("a number of no network", "AS99999999999", "autonomous-system", False),
        ("network 0", "AS0", "autonomous-system", False),
        ("a network in two halves", "AS70000.1", "autonomous-system", False),
        ("an address of a card", "00:00:5e:00:53:01", "mac-addr", True),
        ("no address of a card", "00:00:5e:00:53:zz", "mac-addr", False),
        ("a part of a name that is too long", f"{'a' * 64}.example", "domain-name", False),
        ("a mailbox that is too long", f"{'a' * 65}@mail.example", "email-addr", False),
        ("a port that there is not", "https://evil.example:70000/gate", "url", False),
        ("traffic to no port", "tcp/99999", "network-traffic", False),
    ):
        expected = () if right else (("R62", "$.observables[0].value"),)
        yield comment, "R62", seen(value, kind), expected
    many = {"type": "phone-number", "personal": "personal", "value": "+1 555 0100 0100 0100 0100"}
    named = {
        "flag": "personal",
        "lawful_basis": "celex:32016R0679#6.1.e",
        "purpose": "finding those who are warned of",
        "retention_until": "2027-11-23",
    }
    yield "a number of too many digits", "R62", {**STRICT, "observables": [many], "personal_data": named}, (
        ("R62", "$.observables[0].value"),
    )  # fmt: skip
    for name, right in (
        ("CVE-1999-0001", True),
        ("CVE-1987-0034", False),
        ("CVE-2027-12", False),
        ("GHSA-abcd-2345-wxyz", True),
        ("GHSA-abcd", False),
    ):
        expected = () if right else (("R50", "$.body.ids[0]"),)
        yield f"number {name}", "R50", body("vulnerability", ids=[name], products=["p"]), expected
    for name, ref, right in (
        ("a text as it will apply", "celex:02022L2555-20280101#23", True),
        ("a text as of a day that is none", "celex:02022L2555-20271341#23", False),
        ("a text older than its act", "celex:02022L2555-20201227#23", False),
        ("an act of before the Union", "celex:31917R0001#1", False),
        ("an act to come, by its ELI", "eli:reg/2031/7/oj", False),
        ("an act, by its ELI", "eli:reg/2022/2065/oj", True),
    ):
        expected = () if right else (("R36", "$.legal[0].ref"),)
        yield name, "R36", {"legal": [{"ref": ref, "role": "basis"}]}, expected
    for judgment, right in (("ECLI:EU:T:2026:118", True), ("ECLI:EU:T:2031:118", False)):
        annulled = listing(event="annulled", judgment=judgment)
        yield (
            f"judgment {judgment}",
            "R36",
            {**annulled, **CLEAR},
            () if right else (("R36", "$.body.judgment"),),
        )
    crowd = {"category": "outage", "stage": "polling", "voters_affected": 1_900_000_000}
    yield (
        "more voters than anywhere",
        "R49",
        body("election-incident", **crowd),
        (("R49", "$.body.voters_affected"),),
    )
    for comment, summary, right in (
        ("a marking in the midst", "It was seen. CONFIDENTIEL UE/EU CONFIDENTIAL. Lines follow.", False),
        ("a marking after its word", "Seen at two houses. Classification: SECRET UE", False),
        ("a marking within, after its word", "Einstufung: GEHEIM und bleibt es", False),
        ("a marking that is told", "A paper marked SECRET UE was printed in a newspaper.", True),
    ):
        yield comment, "R47", told(summary=summary), () if right else (("R47", "$.info[0].summary"),)
    for label, right in (
        ("classification:restricted", False),
        ("workflow:secret-ballot", True),
        ("marking:SECRET-UE", False),
    ):
        yield f"label {label}", "R47", {"labels": [label]}, () if right else (("R47", "$.labels[0]"),)
    mailbox = {"info": [{**WORDS, "summary": "Told by anna.muster.1983@party.example."}]}
    yield "a mailbox with a year of birth", "R66", mailbox, (("R66", "$.info[0].summary"),)


def _practice() -> Iterator[Case]:
    """What is done somewhere and looked wrong."""
    early = window("advance-voting", "06-01T05", "06-12T16"), window("counting", "06-12T17", "06-13T21")
    yield "votes in advance are counted on the day before", "R34", calendar(*early), ()
    before, now = ({"ref": f"celex:{act}#5", "role": "duty"} for act in ("31995L0046", "32016R0679"))
    yield "a law beside the one that it followed", "R36", {"legal": [before, now]}, ()
    yield "a law that is no more", "R36", {"legal": [before]}, (("R36", "$.legal[0].ref"),)
    led = {"sponsor_country": "AT", "sponsor_controller": "Ministry of Information of XM"}
    yield (
        "a firm at home that a third country controls",
        "R43",
        advertisement(infringements=["third-country-sponsor"], **led),
        (),
    )
    yield "records of households", "R49", breach(subjects_approx=2100, records_approx=740), ()
    day = {
        "event": "listed",
        "listed": [{"subject": "person", "names": [{"whole": "Ivan Muster"}], "designated": "2029-01-01"}],
    }
    yield "designated in years", "R32", {**listing(**day), **CLEAR}, (("R32", "$.body.listed[0].designated"),)
    storm = incident(classification="intrusions:burglary", root_cause="natural-phenomena")
    yield "a burglary by lightning", "R42", storm, (("R42", "$.body.root_cause"),)
    yield (
        "two signs at",
        "R62",
        seen("billing@@evil@example", "email-addr"),
        (("R62", "$.observables[0].value"),),
    )
    yield "a digest in other letters", "R62", seen("z" * 64, "file"), (("R62", "$.observables[0].value"),)
    asked = case(
        "decision", opened="2025-02-03", decided="2026-03-02", finding="infringement", comply_by="2025-06-01"
    )
    yield "to be obeyed before it was decided", "R78", asked, (("R78", "$.body.comply_by"),)
    years = election(polling_first="2027-01-01", polling_last="2028-12-31")
    yield "polls for two years", "R90", years, (("R90", "$.election.polling_last"),)
    island = {"scope": "region", "country": "RE", "code": "FRY40", "system": "nuts-2024"}
    yield "an island with a code of its own", "R55", {"areas": [island]}, ()
    changed = {"event": "amended", "judgment": "ECLI:EU:T:2027:118"}
    yield "reasons changed after a judgment", "R84", {**listing(**changed), **CLEAR}, ()
    ended = {"event": "delisted", "judgment": "ECLI:EU:T:2027:118", "final_on": "2027-05-02"}
    yield "delisted when it was final", "R84", {**listing(**ended), **CLEAR}, ()


def cases() -> Iterator[Case]:
    """Comment, rule, changed members, and what is broken where."""
    yield from _times()
    yield from _law()
    yield from _markings()
    yield from _numbers()
    yield from _references()
    yield from _text()
    yield from _values()
    yield from _ties()
    yield from _enforcement()
    yield from _media()
    yield from _regimes()
    yield from _states()
    yield from _claims()
    yield from _places()
    yield from _spans()
    yield from _askings()
    yield from _ranges()
    yield from _practice()
