"""The files of the scene: drafts, a native file, and a drill script. Everything in them is made up."""

from __future__ import annotations

import datetime as dt

from tests.record.desk import Desk

_HEAD = """urgency = "immediate"
severity = "{severity}"
certainty = "observed"
confidence = {{ score = 75, source = "A", credibility = 2 }}

[[info]]
lang = "en"
headline = "{headline}"
summary = "{headline}. Fictitious."
"""
_CYBER = """
[body]
kind = "cyber-incident"
stage = "early-warning"
classification = "availability:ddos"
detected = "2024-03-20T18:07:00Z"
significant = true
suspected_malicious = true
assets = ["results-portal"]
impact = "minor"

[[observables]]
type = "domain-name"
personal = "none"
value = "c2.stresser.example"
actionable = true
"""
_ELECTORAL = """
[body]
kind = "election-incident"
category = "false-voting-information"
stage = "campaign"
voters_affected = 12000
correct_information = "Polling places are open from 07:30 to 21:00 on polling day."
"""
_SECTION = """
[[sections]]
label = "indicators"
audience = "eu-csirts"
tlp = "amber+strict"

[[sections.observables]]
type = "domain-name"
personal = "none"
value = "sign-in.portal.example"
actionable = true
"""
_PUT_OFF = """msg_type = "update"
references = [{ id = "0190a0b1-2c3d-7e5f-8a9b-00042e6693a7", rel = "supersedes" }]
"""
"""The year of the election is that of its id; the polls of the record are soon, whenever it is made."""
_CALENDAR = """
[election]
id = "xa-parl-2024"
type = "parliamentary"
phase = "campaign"

[body]
kind = "election-calendar"
tz = "Africa/Algiers"
confirmed = true
windows = [
  {{ phase = "campaign", start = "{campaign}", end = "{silence}" }},
  {{ phase = "polling", start = "{opening}", end = "{closing}" }},
]
"""
_MISP = """{
  "Event": {
    "uuid": "0190a0b1-2c3d-4e5f-8a9b-00042e6693a7",
    "info": "Flood against the results portal of XA",
    "date": "2024-03-20",
    "timestamp": "1710936420",
    "threat_level_id": "1",
    "analysis": "1",
    "Orgc": {"name": "CSIRT XA"},
    "Tag": [{"name": "tlp:green"}, {"name": "rsit:availability=\\"ddos\\""}],
    "Attribute": [
      {"type": "domain", "category": "Network activity", "value": "c2.stresser.example", "to_ids": true, "timestamp": "1710936420"},
      {"type": "ip-dst", "category": "Network activity", "value": "192.0.2.32", "to_ids": true, "timestamp": "1710936420"}
    ]
  }
}
"""
_DRILL = """exercise = "xa-false-date"
title = "A false polling date"

[[step]]
at = 0
as = "xa-emb"
draft = "exercise.toml"

[[step.expect]]
from = "xa-csirt"
verdict = "ack"
within = 2
"""


def lay_out(desk: Desk, now: dt.datetime) -> None:
    """Write every file of the scene.

    Args:
        desk: in whose folder.
        now: the present; the election is a month from it.
    """
    for name, headline in (
        ("flood", "Flood against the results portal"),
        ("flood-goes-on", "Flood against the results portal goes on"),
        ("phishing", "False sign-in page for poll workers"),
        ("scan", "Scan of the registers of voters"),
        ("sealed", "Access to a supplier's network"),
    ):
        desk.write(f"drafts/{name}.toml", _HEAD.format(severity="severe", headline=headline) + _CYBER)
    both = _HEAD.format(severity="severe", headline="Poll workers' accounts taken over") + _CYBER + _SECTION
    desk.write("drafts/sections.toml", both)
    desk.write(
        "drafts/false-date.toml",
        _HEAD.format(severity="moderate", headline="A false polling date is spreading") + _ELECTORAL,
    )
    marked = 'tlp = "green"\naudience = "community"\n'
    desk.write("drafts/marked.toml", marked + _HEAD.format(severity="severe", headline="Marked") + _CYBER)
    exercise = (
        f'status = "exercise"\n{marked}'
        + _HEAD.format(severity="moderate", headline="A false date")
        + _ELECTORAL
    )
    desk.write("drills/exercise.toml", exercise)
    desk.write("drills/drill.toml", _DRILL)
    desk.write("drafts/unfit.toml", _HEAD.format(severity="grave", headline="") + _CYBER)
    desk.write("native/portal.misp.json", _MISP)
    desk.write("native/broken.misp.json", '{"Event": 1}\n')
    polling = now.replace(hour=6, minute=0, second=0, microsecond=0) + dt.timedelta(days=30)
    times = {
        "campaign": polling - dt.timedelta(days=60),
        "silence": polling - dt.timedelta(days=1),
        "opening": polling,
        "closing": polling + dt.timedelta(hours=12),
    }
    spelt = {name: f"{time:%Y-%m-%dT%H:%M:%SZ}" for name, time in times.items()}
    calendar = _HEAD.format(severity="minor", headline="Parliament of XA: calendar")
    desk.write("drafts/calendar.toml", _PUT_OFF + calendar + _CALENDAR.format(**spelt))
