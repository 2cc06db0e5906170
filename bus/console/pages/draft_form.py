"""A draft as the fields of a form, and back: what the form has no field and no row for stands in a text in TOML. Pure.

Nothing stands anywhere else, so a form that is sent says all of the draft, and a refused one is shown again as it was typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bus import drafts
from bus.console.pages import draft_facts, draft_rows
from bus.console.pages.draft_cells import Faults, texts_of, values_of
from bus.console.pages.draft_rows import PASTE
from bus.console.pages.draft_tables import FACTS, TABLES, strictest
from bus.console.pages.draft_types import cells_of, ordered
from schemas.bulletin import Draft
from schemas.parts import ElectionRef, PersonalData
from schemas.vocab import Certainty, Pap, Severity, Status, Tlp, Urgency

MAX_BYTES = 131_072
"""Of a draft, at the desk and on the way to the hub."""
_TEXTS = ("headline", "summary", "instruction", "public_line", "lang", "web")
"""Of the first language; the others are rows."""
_WORDS = ("status", "pap", "urgency", "severity", "certainty")
_PLAIN = ("exercise_id", "incident_id", "expires")
DIMENSIONS = next(cell for cell in cells_of(Draft, ()) if cell.name == "dimensions")
"""The boxes for what a draft is about; without any it is what its kind says."""
OWN = frozenset({"body", "tlp", "audience", "areas", "election", "dimensions", *TABLES, *_WORDS, *_PLAIN})
"""Fields of a draft for which the form has fields. Of lists, `areas`, `dimensions` and `election` the rest may stand in the text."""
PARTLY = frozenset({"areas", "dimensions", "election"})
_UNSAID = OWN | {"msg_type"}
"""What the text does not offer: what the form has, and what the hub sets by itself."""
FIELDS = (
    "title",
    "kind",
    "to",
    "areas",
    "dimensions",
    "election",
    "machine_translated",
    "facts",
    "more",
    PASTE,
    *_TEXTS,
    *_WORDS,
    *_PLAIN,
)
"""The fields of the form, beside those of rows."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "urgency": tuple(map(str, Urgency)),
    "severity": tuple(map(str, Severity)),
    "certainty": tuple(map(str, Certainty)),
    "pap": tuple(map(str, reversed(Pap))),
    "status": (str(Status.ACTUAL), str(Status.EXERCISE), str(Status.TEST)),
}
_PLACES: Mapping[str, str] = {
    "audience": "to",
    "tlp": "to",
    **{name: name for name in (*_WORDS, *_PLAIN, "areas", "dimensions", "election")},
}


class Problem(msgspec.Struct, frozen=True):
    """Why a form is no draft yet: the field, and what to do."""

    field: str
    text: str


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was read.

    Attributes:
        raw: the draft in JSON, as it is saved, approved and published; empty where there are problems.
        problems: what cannot be read.
        tlp: its marking, of the form.
        audience: its audience, of the form.
    """

    raw: bytes = b""
    problems: tuple[Problem, ...] = ()
    tlp: Tlp = Tlp.RED
    audience: str = ""


def begun(kind: str, to: str) -> dict[str, str]:
    """The fields of an empty form.

    Args:
        kind: one of `bus.drafts.DRAFTED`.
        to: the first of the ways that are open, as `way` has it.
    """
    return {
        **dict.fromkeys(FIELDS, ""),
        "kind": kind,
        "to": to,
        "lang": "en",
        "status": str(Status.ACTUAL),
        "pap": str(Pap.GREEN),
        **dict.fromkeys(("urgency", "severity", "certainty"), "unknown"),
        **draft_facts.of_body(kind, {}),
        "more": drafts.rest_text(Draft, _UNSAID),
    }


def way(tlp: str, audience: str) -> str:
    """A marking and an audience as one choice."""
    return f"{tlp}/{audience}"


def typed(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form of all that was sent, lines ended as in drafts."""
    facts = draft_facts.facts_of(fields.get("kind", "")).blank
    names = (*FIELDS, *facts, *draft_rows.names(fields))
    return {name: fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n") for name in names}


def of_draft(raw: bytes, title: str, elections: Mapping[str, ElectionRef]) -> dict[str, str]:
    """A draft as fields.

    Args:
        raw: as `read` makes it.
        title: as its writers call it.
        elections: those that the form offers, by id.
    """
    document: dict[str, Any] = msgspec.json.decode(raw)
    rest = {name: value for name, value in document.items() if name not in OWN and value is not None}
    infos = list(document.get("info") or [{}])
    first, body = dict(infos[0]), dict(document.get("body") or {})
    found = dict.fromkeys(FIELDS, "") | {"title": title, "kind": str(body.pop("kind", ""))}
    found |= {name: _said(first.get(name)) for name in _TEXTS}
    found |= {name: _said(document.get(name)) for name in (*_WORDS, *_PLAIN)}
    found["status"] = found["status"] or str(Status.ACTUAL)
    for name in ("urgency", "severity", "certainty"):
        found[name] = found[name] or "unknown"
    found["machine_translated"] = "1" if first.get("machine_translated") else ""
    found["to"] = way(_said(document.get("tlp")), _said(document.get("audience")))
    areas = document.get("areas")
    tables = [each for each in areas if isinstance(each, dict)] if isinstance(areas, list) else []
    codes = [str(each.get("country")) for each in tables]
    if codes and areas == [_area(each) for each in codes]:
        found["areas"] = ", ".join(codes)
    elif areas is not None:
        rest["areas"] = areas
    if (dimensions := document.get("dimensions")) is not None:
        texts, others = texts_of((DIMENSIONS,), {"dimensions": dimensions})
        found |= texts
        rest |= others
    if (election := document.get("election")) is not None:
        known = elections.get(_said(election.get("id"))) if isinstance(election, dict) else None
        if known is not None and _unphased(msgspec.to_builtins(known)) == _unphased(election):
            found["election"] = known.id
        else:
            rest["election"] = election
    for name, table in TABLES.items():
        held = (infos[1:] or None) if name == "info" else document.get(name)
        rows, unsaid = draft_rows.of_entries(table, held)
        found |= rows
        if (left := unsaid if rows else held) is not None:
            rest[name] = left
    return found | draft_facts.of_body(found["kind"], body) | {"more": drafts.rest_text(Draft, _UNSAID, rest)}


def read(fields: Mapping[str, str], elections: Mapping[str, ElectionRef]) -> Read:
    """The draft that a form says.

    Args:
        fields: as `typed` gives them.
        elections: those that the form offers, by id, each with the phase of now.
    """
    problems: list[Problem] = []
    faults: Faults = []
    body, rest = draft_facts.read(fields, faults), draft_rows.in_toml(fields["more"], "more", faults) or {}
    for name in sorted(OWN & rest.keys() - TABLES.keys()):
        if name not in PARTLY:
            faults.append(("more", f"{name} has a field of its own in the form; write it there"))
        elif fields[name].strip():
            faults.append(("more", f"{name} stands in the form too; keep one of the two"))
    lists = _lists(fields, rest, faults)
    about = values_of((DIMENSIONS,), fields, "", faults)
    problems.extend(Problem(field, text) for field, text in faults)
    tlp, _, audience = fields["to"].partition("/")
    if tlp not in tuple(Tlp) or not audience:
        problems.append(Problem("to", "choose who may read it"))
    areas = tuple(each for each in fields["areas"].replace(",", " ").upper().split() if each)
    chosen = fields["election"]
    if chosen and chosen not in elections:
        problems.append(
            Problem("election", "this hub knows no such election; choose another, or write it below")
        )
    if fields.get(PASTE, "").strip():
        problems.append(
            Problem(PASTE, "no further row has room; write these in TOML, under More, or take rows out")
        )
    if problems:
        return Read(problems=tuple(problems))
    first: dict[str, Any] = {name: fields[name].strip() for name in _TEXTS if fields[name].strip()}
    if fields["machine_translated"]:
        first["machine_translated"] = True
    document: dict[str, Any] = {
        "info": [first, *lists.pop("info", ())],
        "body": body,
        "tlp": tlp,
        "audience": audience,
        **{name: fields[name].strip() for name in (*_WORDS, *_PLAIN) if fields[name].strip()},
        **({"areas": [_area(each) for each in areas]} if areas else {}),
        **about,
        **({"election": msgspec.to_builtins(elections[chosen])} if chosen else {}),
        **lists,
        **rest,
    }
    try:
        raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        return Read(problems=(Problem("more", f"this is no draft: {exc}"),))
    if len(raw) > MAX_BYTES:
        return Read(
            problems=(Problem("more", f"a draft has at most {MAX_BYTES} bytes; this has {len(raw)}"),)
        )
    return Read(raw=raw, tlp=Tlp(tlp), audience=audience)


def field_of(path: str, text: str = "") -> str:
    """The field of the form that a finding belongs to.

    Args:
        path: of the finding, as `$.info[0].headline`; what is missing has the path of the table that lacks it.
        text: the finding, which begins with the name of what is missing.
    """
    parts = path.removeprefix("$").removeprefix(".").replace("[", ".").replace("]", "").split(".")
    if parts == ["info", "0"]:
        parts.append(text.split(" ", 1)[0])
    if parts[:2] == ["info", "0"]:
        return parts[2] if parts[2] in (*_TEXTS, "machine_translated") else "more"
    if parts == ["body"]:
        parts.append(text.split(" ", 1)[0])
    if parts == ["body", "kind"]:
        return "to"
    if parts[0] == "body":
        return f"{FACTS}{'.'.join(parts[1:])}"
    if parts[0] in TABLES:
        return draft_rows.field_of(TABLES[parts[0]], parts[1:])
    return _PLACES.get(parts[0], "more" if parts[0] else "")


def typed_at(fields: Mapping[str, str], field: str) -> str:
    """The field of a form that a finding stands beside.

    Args:
        fields: the form that says the draft.
        field: as `field_of` gives it.
    """
    if field.startswith(FACTS):
        return draft_facts.typed_at(fields, field)
    return draft_rows.typed_at(fields, field)


def _lists(fields: Mapping[str, str], rest: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """What rows say, with what the text has beside them, which is taken out of it; personal data are flagged as their observables."""
    found: dict[str, Any] = {}
    for name, table in TABLES.items():
        held = draft_rows.beside(fields, table, rest, "more", faults)
        if name == "info" and not isinstance(held, list | None):
            faults.append(("more", "info is a list, with a table for each further language"))
        elif held is not None:
            found[name] = held
    declared = found.get("personal_data")
    if isinstance(declared, dict) and "flag" not in declared:
        flag = strictest(found.get("observables"))
        found["personal_data"] = ordered(PersonalData, declared | ({"flag": flag} if flag else {}))
    return found


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(field, text before, text after) of each field that differs, for two who have written at the same time."""
    facts = draft_facts.facts_of(after["kind"]).blank
    for name in (*FIELDS, *facts, *draft_rows.differing(before, after)):
        if before.get(name, "") != after.get(name, ""):
            yield name, before.get(name, ""), after.get(name, "")


def _area(country: str) -> dict[str, str]:
    return {"scope": {"EU": "eu", "INT": "international"}.get(country, "country"), "country": country}


def _unphased(election: Mapping[str, Any]) -> dict[str, Any]:
    """An election without its phase, which the form sets anew, and without what is as usual."""
    return {
        name: value
        for name, value in election.items()
        if name != "phase" and value is not None and (name, value) != ("round", 1)
    }


def _said(value: object) -> str:
    return "" if value is None else str(value)
