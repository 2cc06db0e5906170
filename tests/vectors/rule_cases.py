"""The rule vectors: the example with some members changed, and every rule it then breaks, where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from schemas.codec import encode
from tests.vectors import truth_cases
from tests.vectors.scene import example

Expected = tuple[tuple[str, str], ...]
Case = tuple[str, str, dict[str, Any], Expected]

BASE: dict[str, Any] = json.loads(encode(example()))
ISSUED = BASE["issued"]
ID = "0196fe2f-9be0-7000-8000-00000000000a"
STRICT = {"tlp": "amber+strict", "audience": "eu-csirts"}
CLEAR = {"tlp": "clear", "audience": "public"}
RED = {"tlp": "red", "audience": "xb-csirt"}
RIGHTS = {"legality": True, "necessity": True, "proportionality": True}
HASH = "0" * 64


def reference(rel: str) -> dict[str, Any]:
    """One reference."""
    return {"references": [{"id": ID, "rel": rel}]}


def feedback(verdict: str, **fields: Any) -> dict[str, Any]:
    """A body that answers."""
    return {"body": {"kind": "feedback", "verdict": verdict, **fields}}


def observable(personal: str, **fields: Any) -> dict[str, Any]:
    """One observable, by default with a value in clear."""
    return {"observables": [{"type": "user-account", "personal": personal, **(fields or {"value": "a"})}]}


def hashed(personal: str) -> dict[str, Any]:
    """One observable that is a keyed hash."""
    return observable(personal, value_hmac=HASH, key_id="csirts-2027q2")


def personal(flag: str) -> dict[str, Any]:
    """Why and how long personal data travels."""
    return {
        "personal_data": {
            "flag": flag,
            "lawful_basis": "celex:32016R0679#6.1.e",
            "purpose": "finding those who are warned of",
            "retention_until": "2027-11-23",
        }
    }


def action(kind: str, *basis: str) -> dict[str, Any]:
    """One action."""
    return {"actions": [{"kind": kind, "to": ["dsc"], "text": "act", "legal_basis": list(basis)}]}


def attribution(level: str, *actors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An attribution."""
    return {"attribution": {"level": level, "actors": list(actors), **fields}}


STATE = {"name": "Service of XZ", "kind": "state-body", "country": "XZ"}
PERSON = {"name": "A Person", "kind": "individual"}
OFFICER = {**PERSON, "public_role": True}
_POLLS = {"phase": "polling", "start": "2027-05-23T05:00:00Z", "end": "2027-05-23T19:00:00Z"}


def calendar(*windows: dict[str, Any], tz: str = "Europe/Vienna") -> dict[str, Any]:
    """A body with the windows of an election."""
    return {"body": {"kind": "election-calendar", "windows": list(windows or (_POLLS,)), "tz": tz}}


ORDER = {
    "body": {
        "kind": "content-order",
        "article": 9,
        "issuing_authority": "xa-dsc",
        "provider": "Example Platform",
        "legal_basis": ["celex:32022R2065#9"],
        "reasons": "A false polling date in the name of the commission.",
        "territorial_scope": ["XA"],
        "redress": "Administrative court of XA, within one month.",
        "items": [{"url": "https://social.example/p/1", "platform": "social", "content_types": ["image"]}],
    }
}
SPOKEN = {"info": [{"lang": "en", "headline": "h", "summary": "s", "public_line": "The date is unchanged."}]}
SILENCE = {"election": {"id": "xa-parl-2027", "type": "parliamentary", "phase": "silence"}}
LISTING = {
    "body": {
        "kind": "sanctions-listing",
        "event": "listed",
        "programme": "XXTEST",
        "authority": "other",
        "regulation": "celex:32024R2642",
        "published": "2027-05-20",
        "in_force": "2027-05-21",
        "measures": ["asset-freeze"],
        "listed": [{"subject": "enterprise", "names": [{"whole": "Example Works"}]}],
    }
}
CLOCK = {
    "deadlines": [{"clock": "gdpr-33", "started": "2027-05-22T08:00:00Z", "due": "2027-05-25T08:00:00Z"}]
}


def stratcom(mode: str = "debunk") -> dict[str, Any]:
    """Lines to take."""
    return {"body": {"kind": "stratcom", "mode": mode, "lines": ["The date is unchanged."]}}


def incident(stage: str, **fields: Any) -> dict[str, Any]:
    """A staged report."""
    body = {"kind": "cyber-incident", "stage": stage, "classification": "availability:ddos"}
    return {"body": {**body, "detected": ISSUED, "significant": True, **fields}}


def breach(risk: str, **fields: Any) -> dict[str, Any]:
    """A personal-data breach."""
    body = {
        "kind": "data-breach",
        "nature": ["confidentiality"],
        "aware": "2027-05-22T08:00:00Z",
        "controller_kind": "party",
    }
    about = {"data_categories": ["electoral-roll"], "subject_categories": ["voters"], "risk": risk}
    return {"body": {**body, **about, **fields}}


def referral(**fields: Any) -> dict[str, Any]:
    """A matter for justice."""
    body = {"kind": "legal-referral", "stage": "referral", "offences": ["forgery"], "competent": "xa-court"}
    return {"body": {**body, **fields}}


def issued_by(**fields: Any) -> dict[str, Any]:
    """Another issuer."""
    return {"issuer": {**BASE["issuer"], **fields}}


def _ties() -> Iterator[Case]:
    yield "an update says what it supersedes", "R1", {"msg_type": "update", **reference("supersedes")}, ()
    yield "an update of nothing", "R1", {"msg_type": "update"}, (("R1", "$.references"),)
    yield (
        "a cancel that only supersedes",
        "R1",
        {"msg_type": "cancel", **reference("supersedes")},
        (("R1", "$.references"),),
    )
    yield (
        "an acknowledgement",
        "R2",
        {"msg_type": "ack", **feedback("ack"), **reference("acknowledges")},
        (),
    )
    yield "an ack without feedback", "R2", {"msg_type": "ack"}, (("R2", "$.msg_type"),)
    yield (
        "a rejection sent as an ack",
        "R2",
        {"msg_type": "ack", **feedback("reject"), **reference("rejects")},
        (("R2", "$.msg_type"),),
    )
    yield (
        "a sighting sent as an ack",
        "R2",
        {"msg_type": "ack", **feedback("sighting"), **reference("corroborates")},
        (("R2", "$.msg_type"),),
    )
    taken_back = {"msg_type": "cancel", **feedback("dispute"), **reference("cancels")}
    yield "an answer that is withdrawn", "R2", taken_back, ()
    yield "feedback to nothing", "R3", feedback("dispute"), (("R3", "$.references"),)
    yield "an exercise by its name", "R4", {"status": "exercise", "exercise_id": "ce-2027"}, ()
    yield "an exercise without a name", "R4", {"status": "exercise"}, (("R4", "$.exercise_id"),)
    yield "the longest life", "R5", {"expires": "2028-06-26T19:41:00Z"}, ()
    yield "a second more", "R5", {"expires": "2028-06-26T19:41:01Z"}, (("R5", "$.expires"),)
    yield "ends as it begins", "R5", {"expires": ISSUED}, (("R5", "$.expires"),)


def _persons() -> Iterator[Case]:
    yield "personal, with why", "R6", {**observable("personal"), **personal("personal")}, ()
    yield "pseudonymous without why", "R6", observable("pseudonymous"), (("R6", "$.personal_data"),)
    yield (
        "a flag weaker than its observable",
        "R6",
        {**observable("personal"), **personal("pseudonymous")},
        (("R6", "$.personal_data.flag"),),
    )
    yield (
        "pseudonymous for everybody",
        "R7",
        {**observable("pseudonymous"), **personal("pseudonymous"), **CLEAR},
        (),
    )
    yield (
        "personal for everybody",
        "R7",
        {**observable("personal"), **personal("personal"), **CLEAR},
        (("R7", "$.observables"),),
    )
    yield (
        "personal in its text, for everybody",
        "R7",
        {**personal("personal"), **CLEAR},
        (("R7", "$.personal_data.flag"),),
    )
    yield "a listing of persons in public", "R7", {**LISTING, **personal("personal"), **CLEAR}, ()
    yield (
        "an opinion in its text, at green",
        "R8",
        personal("special-category"),
        (("R8", "$.tlp"),),
    )
    yield "an opinion in its text, strictly", "R8", {**personal("special-category"), **STRICT}, ()
    yield (
        "a hashed opinion, strictly",
        "R8",
        {**hashed("special-category"), **personal("special-category"), **STRICT},
        (),
    )
    yield (
        "a hashed opinion at green",
        "R8",
        {**hashed("special-category"), **personal("special-category")},
        (("R8", "$.tlp"),),
    )
    yield (
        "a suspicion at amber",
        "R8",
        {
            **observable("criminal-offence"),
            **personal("criminal-offence"),
            "tlp": "amber",
            "audience": "eu-csirts",
        },
        (("R8", "$.tlp"),),
    )
    both = observable("none", value="a", value_hmac=HASH, key_id="k")
    yield "a value and its hash", "R9", both, (("R9", "$.observables[0]"),)
    yield "neither", "R9", observable("none", note="nothing"), (("R9", "$.observables[0]"),)
    yield (
        "a hash without its key",
        "R9",
        observable("none", value_hmac=HASH),
        (("R9", "$.observables[0].key_id"),),
    )
    yield (
        "an opinion in clear",
        "R9",
        {**observable("special-category"), **personal("special-category"), **STRICT},
        (("R9", "$.observables[0].value"),),
    )
    yield "red, act quietly", "R10", {**RED, "pap": "red"}, ()
    yield "red that anybody may act on", "R10", {**RED, "pap": "clear"}, (("R10", "$.pap"),)


def _rights() -> Iterator[Case]:
    takedown = action("request-takedown-order", "celex:32022R2065#9")
    yield "a measure that passed its check", "R11", {**takedown, "rights": RIGHTS}, ()
    yield "a measure without check", "R11", takedown, (("R11", "$.rights"),)
    yield (
        "a measure out of proportion",
        "R11",
        {**takedown, "rights": {**RIGHTS, "proportionality": False}},
        (("R11", "$.rights"),),
    )
    yield (
        "a measure without legal basis",
        "R11",
        {**action("block-access-order"), "rights": RIGHTS},
        (("R11", "$.actions[0].legal_basis"),),
    )
    yield "an order without check", "R11", ORDER, (("R11", "$.rights"),)
    yield "an action that restricts nobody", "R11", action("patch"), ()
    yield "suspected, by nobody yet", "R12", attribution("suspected"), ()
    yield "confirmed by nobody", "R12", attribution("confirmed"), (("R12", "$.attribution.by"),)
    yield (
        "public since never",
        "R12",
        attribution("public", by=["xa-gov"]),
        (("R12", "$.attribution.public_since"),),
    )
    yield (
        "a state, publicly",
        "R13",
        {**attribution("public", STATE, by=["xa-gov"], public_since="2027-05-01"), **CLEAR},
        (),
    )
    yield (
        "a state, suspected before everybody",
        "R13",
        {**attribution("suspected", STATE), **CLEAR},
        (("R13", "$.attribution.level"),),
    )
    yield "somebody in office", "R14", attribution("suspected", OFFICER), ()
    yield (
        "a private person at green",
        "R14",
        attribution("suspected", STATE, PERSON),
        (("R14", "$.attribution.actors[1]"),),
    )


def _bodies() -> Iterator[Case]:
    words = {"headline": "h", "summary": "s"}
    yield "two languages", "R15", {"info": [{"lang": "en", **words}, {"lang": "el", **words}]}, ()
    yield "one language twice", "R15", {"info": [{"lang": "en", **words}] * 2}, (("R15", "$.info"),)
    yield "lines with a public one", "R16", {**stratcom(), **SPOKEN}, ()
    public = {"tlp": "clear", "pap": "clear", "audience": "public"}
    yield "lines without a public one", "R16", {**stratcom(), **public}, (("R16", "$.info"),)
    yield "lines among authorities", "R16", stratcom(), ()
    yield "silence needs no line", "R16", stratcom("strategic-silence"), ()
    yield (
        "lines in the silence, safely",
        "R17",
        {**stratcom(), **SPOKEN, **SILENCE, "handling": {"silence_safe": True}},
        (),
    )
    yield (
        "lines in the silence",
        "R17",
        {**stratcom(), **SPOKEN, **SILENCE},
        (("R17", "$.handling.silence_safe"),),
    )
    yield "a notification with its impact", "R18", incident("incident-notification", impact="large"), ()
    yield (
        "a notification without impact",
        "R18",
        incident("incident-notification"),
        (("R18", "$.body.impact"),),
    )
    yield "a breach with its clock", "R18", {**breach("risk"), **CLOCK}, ()
    yield "a breach without its clock", "R18", breach("risk"), (("R18", "$.deadlines"),)
    yield (
        "high risk, and nobody is told",
        "R18",
        {**breach("high-risk", art34="not-required"), **CLOCK},
        (("R18", "$.body.art34"),),
    )
    yield "secrecy kept", "R19", {**referral(), **STRICT}, ()
    yield "no secrecy to keep", "R19", referral(judicial_secrecy=False), ()
    yield "secrecy at green", "R19", referral(), (("R19", "$.tlp"),)
    yield "a listing in public", "R20", {**LISTING, **CLEAR}, ()
    yield "a listing among few", "R20", LISTING, (("R20", "$.tlp"),)


def _addresses() -> Iterator[Case]:
    yield "an issuer of the Union", "R21", issued_by(id="eu-council", country="EU"), ()
    yield "an issuer of no country", "R21", issued_by(id="int-observers", country="INT"), ()
    yield "an issuer under another flag", "R21", issued_by(country="XB"), (("R21", "$.issuer.id"),)
    yield "clear to the public", "R24", CLEAR, ()
    yield "clear to a group", "R24", {"tlp": "clear"}, (("R24", "$.audience"),)
    yield "green to the public", "R24", {"audience": "public"}, (("R24", "$.audience"),)
    yield "red to one", "R24", RED, ()
    yield "red to a community", "R24", {"tlp": "red"}, (("R24", "$.audience"),)
    yield "confidence in words only", "R26", {"confidence": {"basis": "a call"}}, (("R26", "$.confidence"),)
    yield "confidence that cannot be judged", "R26", {"confidence": {"credibility": 6}}, ()
    yield "a calendar", "R27", calendar(), ()
    yield (
        "a window that ends as it starts",
        "R27",
        calendar(_POLLS, {**_POLLS, "end": _POLLS["start"]}),
        (("R27", "$.body.windows[1].end"),),
    )
    yield (
        "windows that end before they start",
        "R27",
        calendar({**_POLLS, "start": _POLLS["end"], "end": _POLLS["start"]}),
        (("R27", "$.body.windows[0].end"),),
    )
    for zone in ("Etc/GMT+3", "America/Argentina/Buenos_Aires", "EST5EDT", "UTC"):
        yield f"a calendar in {zone}", "R28", calendar(tz=zone), ()
    for zone in ("Europe/Atlantis", "europe/vienna", "Etc/GMT+15", "GMT+3"):
        yield f"a calendar in {zone}", "R28", calendar(tz=zone), (("R28", "$.body.tz"),)
    for scope in ("country", "region", "municipality", "constituency", "polling-place"):
        nowhere = {"areas": [{"scope": scope, "name": "Somewhere"}]}
        yield f"a {scope} of no country", "R29", nowhere, (("R29", "$.areas[0].country"),)
    for scope in ("eu", "abroad", "international", "online", "a-word-of-tomorrow"):
        yield f"an area of scope {scope}", "R29", {"areas": [{"scope": scope}]}, ()
    for country, broken in (("EU", ()), ("XB", (("R29", "$.areas[0].country"),))):
        yield f"the Union as {country}", "R29", {"areas": [{"scope": "eu", "country": country}]}, broken
    kept = personal("none")["personal_data"]
    for day, broken in (("2027-06-22", ()), ("2027-06-21", (("R30", "$.personal_data.retention_until"),))):
        until = {"personal_data": {**kept, "retention_until": day}}
        yield f"kept until {day}, which expires on 2027-06-22", "R30", until, broken
    yield (
        "several at once, in order",
        "Many",
        {"tlp": "clear", "expires": ISSUED, "confidence": {}},
        (("R5", "$.expires"), ("R24", "$.audience"), ("R26", "$.confidence")),
    )


_GREEN = "actual.green.community"
_DIGEST = "A" * 43


def beat(*heads: str, held: tuple[str, ...] = ()) -> dict[str, Any]:
    """A heartbeat that names these heads of its issuer and of others."""
    named = {
        key: [{"channel": name, "seq": 1, "digest": _DIGEST} for name in names]
        for key, names in (("heads", heads), ("held", held))
    }
    body = {
        "kind": "channel-status",
        "state": "up",
        "posture": "baseline",
        "interval_s": 60,
        "last_seq": 0,
        "duty": "full",
    }
    return {"status": "system", "body": body | named}


def _beats() -> Iterator[Case]:
    others = f"xb-csirt/{_GREEN}"
    yield "a heartbeat with its heads", "R31", beat(_GREEN, "test.green.community", held=(others,)), ()
    for comment, name in (
        ("a head at another audience", "actual.green.eu-csirts"),
        ("a head at another marking", "actual.amber.community"),
        ("a head of another issuer", others),
        ("a head of no channel", "green.community"),
    ):
        yield comment, "R31", beat(_GREEN, name), (("R31", "$.body.heads[1].channel"),)
    alone = beat(_GREEN)
    yield "a heartbeat on status beat", "R31", {**alone, "status": "beat"}, ()
    yield "anything else on status beat", "R31", {"status": "beat"}, (("R31", "$.status"),)
    yield "two heads of one channel", "R31", beat(_GREEN, _GREEN), (("R31", "$.body.heads[1].channel"),)
    for comment, name in (
        ("held at another audience", "xb-csirt/actual.green.eu-csirts"),
        ("held of its own issuer", f"{BASE['issuer']['id']}/{_GREEN}"),
        ("held of nobody", _GREEN),
        ("held twice", others),
    ):
        yield comment, "R31", beat(held=(others, name)), (("R31", "$.body.held[1].channel"),)


def cases() -> Iterator[Case]:
    """Comment, rule, changed members, and what is broken where."""
    yield from _ties()
    yield from _persons()
    yield from _rights()
    yield from _bodies()
    yield from _addresses()
    yield from _beats()
    yield from truth_cases.cases()


def group() -> dict[str, Any]:
    """The one group: whole payloads, so that a reader needs nothing else."""
    tests = [
        {
            "tcId": n,
            "comment": comment,
            "flags": [flag],
            "input": json.dumps({**BASE, **change}, ensure_ascii=False, separators=(",", ":")),
            "result": "invalid" if broken else "valid",
            "reason": f"rule:{broken[0][0]}" if broken else "",
            "violations": [{"rule": rule, "path": path} for rule, path in broken],
        }
        for n, (comment, flag, change, broken) in enumerate(cases(), 1)
    ]
    return {"type": "Rules", "tests": tests}
