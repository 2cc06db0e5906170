"""The subject vectors: derived from a bulletin, taken apart, and matched by a pattern."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.vectors.rule_cases import BASE, RED, issued_by

GOOD = "tocsin.v1.actual.green.community.xa.csirt.cyber.cyber-incident.xa.none.p2"
ELECTION = {"election": {"id": "xa-parl-2027", "type": "parliamentary", "phase": "polling"}}
XA, XB = {"scope": "country", "country": "XA"}, {"scope": "region", "country": "XB"}


def _weight(severity: str, urgency: str, certainty: str = "observed", **more: Any) -> dict[str, Any]:
    return {"severity": severity, "urgency": urgency, "certainty": certainty, **more}


def _derived() -> Iterator[tuple[str, str, dict[str, Any], str]]:
    yield "the example", "Good", {}, GOOD
    yield "of an election", "Token", ELECTION, GOOD.replace(".none.", ".xa-parl-2027.")
    yield (
        "amber+strict is written with a hyphen",
        "Token",
        {"tlp": "amber+strict", "audience": "eu-csirts"},
        GOOD.replace("green.community", "amber-strict.eu-csirts"),
    )
    yield (
        "an organisation with a suffix keeps its hyphen",
        "Token",
        issued_by(id="xa-csirt-west"),
        GOOD.replace(".csirt.", ".csirt-west."),
    )
    yield (
        "an issuer of no country",
        "Token",
        issued_by(id="int-observers", country="INT", domain="coord"),
        GOOD.replace("xa.csirt.cyber", "int.observers.coord"),
    )
    for comment, areas, token in (
        ("one country in two places", [XA, {**XA, "scope": "region"}], "xa"),
        ("two countries", [XA, XB], "multi"),
        ("the Union, whatever else", [XA, {"scope": "eu"}], "eu"),
        ("nowhere in particular", [{"scope": "online"}], "intl"),
        ("INT alone", [{"scope": "international", "country": "INT"}], "intl"),
        ("INT and a country", [XA, {"scope": "international", "country": "INT"}], "multi"),
    ):
        yield comment, "Area", {"areas": areas}, GOOD.replace("cyber-incident.xa", f"cyber-incident.{token}")
    hidden = "tocsin.v1.actual.red.xb-csirt.xa.csirt.cyber.x.x.x.p2"
    yield "red hides what it is about", "Red", {**RED, **ELECTION}, hidden
    for comment, change, prio in (
        ("extreme, at once, seen", _weight("extreme", "immediate"), "p1"),
        ("extreme, soon, likely", _weight("extreme", "expected", "likely"), "p1"),
        ("extreme, at once, perhaps", _weight("extreme", "immediate", "possible"), "p2"),
        ("severe, soon, unknown", _weight("severe", "expected", "unknown"), "p2"),
        ("extreme, later", _weight("extreme", "future"), "p3"),
        ("moderate, at once", _weight("moderate", "immediate"), "p3"),
        ("moderate, unknown when", _weight("moderate", "unknown"), "p3"),
        ("severe, over", _weight("severe", "past"), "p4"),
        ("minor, at once", _weight("minor", "immediate"), "p4"),
        ("nothing known", _weight("unknown", "unknown", "unknown"), "p4"),
    ):
        yield comment, "Priority", change, GOOD.replace(".p2", f".{prio}")
    grave = _weight("extreme", "immediate")
    yield (
        "an exercise wakes as well",
        "Priority",
        {**grave, "status": "exercise", "exercise_id": "ce-2027"},
        GOOD.replace("actual", "exercise").replace(".p2", ".p1"),
    )
    beat = GOOD.replace("actual", "beat").replace("cyber-incident.xa.none.p2", "x.x.x.p4")
    yield "a channel of heartbeats has one subject", "Beat", {**grave, "status": "beat"}, beat
    for status in ("test", "system"):
        yield (
            f"status {status} wakes nobody",
            "Priority",
            {**grave, "status": status},
            GOOD.replace("actual", status).replace(".p2", ".p4"),
        )


PARSED = {
    GOOD: "Good",
    "tocsin.v1.actual.red.xb-csirt.xa.csirt.cyber.x.x.x.p2": "Red",
    "tocsin.v1.beat.green.community.xa.csirt.cyber.x.x.x.p4": "Beat",
    "tocsin.v1.system.amber-strict.xa-csirt.int.observers.coord.channel-status.intl.eu-ep-2029.p4": "Token",
}
REFUSED = {
    "a heartbeat with its kind": "tocsin.v1.beat.green.community.xa.csirt.cyber.channel-status.x.x.p4",
    "nothing": "",
    "too few tokens": "tocsin.v1.actual.green.community",
    "too many tokens": f"{GOOD}.p2",
    "another name": GOOD.replace("tocsin", "toxin"),
    "another version": GOOD.replace(".v1.", ".v2."),
    "a wildcard token": GOOD.replace("cyber-incident", "*"),
    "a wildcard for the rest": "tocsin.v1.actual.green.community.xa.csirt.cyber.cyber-incident.xa.none.>",
    "an empty token": GOOD.replace("community", ""),
    "a space": GOOD.replace("csirt", "cs irt"),
    "a newline after": f"{GOOD}\n",
    "a newline inside": GOOD.replace("csirt.", "csirt\n."),
    "a NUL": GOOD.replace("csirt", "csirt\x00"),
    "capitals": GOOD.replace("xa.csirt", "XA.CSIRT"),
    "a letter of another script": GOOD.replace("csirt", "\u0441sirt"),
    "an unknown status": GOOD.replace("actual", "draft"),
    "an unknown marking": GOOD.replace("green", "white"),
    "a marking with +": GOOD.replace("green", "amber+strict"),
    "an unknown domain": GOOD.replace(".cyber.", ".weather."),
    "an unknown kind": GOOD.replace("cyber-incident", "gossip"),
    "an area of three letters": GOOD.replace(".xa.none", ".xab.none"),
    "an election of no type": GOOD.replace("none", "xa-party-2027"),
    "an unknown priority": GOOD.replace("p2", "p0"),
    "an issuer split elsewhere": GOOD.replace("xa.csirt", "xa-bb.csirt"),
    "a hidden kind without RED": GOOD.replace("cyber-incident", "x"),
    "a hidden area without RED": GOOD.replace(".xa.none", ".x.none"),
    "a hidden election without RED": GOOD.replace(".xa.none", ".xa.x"),
    "RED with its kind": "tocsin.v1.actual.red.xb-csirt.xa.csirt.cyber.cyber-incident.x.x.p2",
    "an organisation of one letter": GOOD.replace("csirt", "c"),
    "an audience too long": GOOD.replace("community", "a" * 42),
}
MATCHED: tuple[tuple[str, str, bool], ...] = (
    (GOOD, GOOD, True),
    ("tocsin.v1.actual.>", GOOD, True),
    ("tocsin.v1.exercise.>", GOOD, False),
    ("tocsin.v1.actual.*.*.*.*.*.*.xa.>", GOOD, True),
    ("tocsin.v1.actual.*.*.*.*.*.*.eu.>", GOOD, False),
    ("tocsin.v1.actual.*.*.*.*.*.*.*.*.p2", GOOD, True),
    ("tocsin.v1.actual.*.*.*.*.*.*.*.*.p1", GOOD, False),
    ("tocsin.v1.actual.*.*.*.*.cyber.>", GOOD, True),
    (f"{GOOD}.>", GOOD, False),
    (GOOD.rpartition(".")[0], GOOD, False),
    ("tocsin.v1.*", GOOD, False),
    (">", GOOD, True),
    ("tocsin.>.actual", "tocsin.v1.actual", False),
    ("tocsin.v1.act*.>", GOOD, False),
)


def groups() -> list[dict[str, Any]]:
    """Derive, take apart, match."""
    names = (
        "prefix",
        "version",
        "status",
        "tlp",
        "audience",
        "cc",
        "org",
        "domain",
        "kind",
        "area",
        "election",
        "priority",
    )
    derive: list[dict[str, Any]] = [
        {
            "comment": comment,
            "flags": [flag],
            "input": json.dumps({**BASE, **change}, separators=(",", ":")),
            "subject": subject,
            "reason": "",
        }
        for comment, flag, change, subject in _derived()
    ]
    parse: list[dict[str, Any]] = [
        {
            "comment": "taken apart",
            "flags": [flag],
            "input": subject,
            "tokens": dict(zip(names, subject.split("."), strict=True)),
            "reason": "",
        }
        for subject, flag in PARSED.items()
    ]
    parse += [
        {"comment": comment, "flags": ["Grammar"], "input": subject, "reason": "malformed-subject"}
        for comment, subject in REFUSED.items()
    ]
    match: list[dict[str, Any]] = [
        {
            "comment": "matches" if covered else "does not match",
            "flags": ["Pattern"],
            "pattern": pattern,
            "input": subject,
            "reason": "" if covered else "no-match",
        }
        for pattern, subject, covered in MATCHED
    ]
    for n, test in enumerate([*derive, *parse, *match], 1):
        test.update({"tcId": n, "result": "invalid" if test["reason"] else "valid"})
    return [
        {"type": "Derive", "tests": derive},
        {"type": "Parse", "tests": parse},
        {"type": "Match", "tests": match},
    ]
