"""A draft as the fields of a form, and back: what the form has no field and no row for stands in a text in TOML. Pure.

Nothing stands anywhere else, so a form that is sent says all of the draft, and a refused one is shown again as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bus import drafts
from bus.console.pages import draft_facts, draft_lists, draft_rows
from bus.console.pages.draft_cells import Faults, texts_of, values_of
from bus.console.pages.draft_lists import PARTS
from bus.console.pages.draft_rows import PASTE, TWICE
from bus.console.pages.draft_tables import FACTS
from bus.console.pages.draft_types import cells_of, ordered
from schemas.bulletin import Draft
from schemas.parts import ElectionRef, Info
from schemas.registry import Registry
from schemas.vocab import Certainty, MsgType, Pap, Severity, Status, Tlp, Urgency

MAX_BYTES = 131_072
"""Of a draft, at the desk and on the way to the hub."""
_MISSING = re.compile(r"(\w+) is missing: ")
_TEXTS = ("headline", "summary", "instruction", "public_line", "lang", "web")
"""Of the first language; the others are rows."""
_WORDS = ("status", "pap", "urgency", "severity", "certainty")
_PLAIN = ("exercise_id", "incident_id", "expires")
CELLS = {
    cell.name: cell
    for cell in cells_of(Draft, ())
    if cell.name in ("dimensions", "labels", "onset", "effective")
}
"""The fields of the form that are made as those of facts are."""
OWN = frozenset({"body", "msg_type", "tlp", "audience", *PARTS, *CELLS, *_WORDS, *_PLAIN})
"""Fields of a draft for which the form has fields or rows."""
PARTLY = frozenset({"msg_type", *CELLS})
"""Of these the text may have what no field says; of lists it has what no row says."""
_UNSAID = OWN | {"provenance"}
"""What the text does not offer: what the form has, and what adapters write."""
FIELDS = (
    "title",
    "kind",
    "to",
    "areas",
    "election",
    "msg_type",
    "machine_translated",
    "facts",
    "more",
    PASTE,
    *_TEXTS,
    *_WORDS,
    *_PLAIN,
    *CELLS,
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
    **{name: name for name in (*_WORDS, *_PLAIN, *CELLS)},
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
    if (what := document.get("msg_type")) in tuple(MsgType):
        found["msg_type"] = what
    elif what is not None:
        rest["msg_type"] = what
    held = {name: document[name] for name in CELLS if document.get(name) is not None}
    texts, others = texts_of(tuple(CELLS.values()), held)
    found |= texts | draft_facts.of_body(found["kind"], body)
    lists, unsaid = draft_lists.of_document(document, elections, found)
    return found | lists | {"more": drafts.rest_text(Draft, _UNSAID, rest | others | unsaid)}


def read(
    fields: Mapping[str, str], elections: Mapping[str, ElectionRef], registry: Registry | None = None
) -> Read:
    """The draft that a form says.

    Args:
        fields: as `typed` gives them.
        elections: those that the form offers, by id, each with the phase of now.
        registry: completes what follows from it, such as when a clock ends; None for nothing.
    """
    faults: Faults = []
    body, rest = draft_facts.read(fields, faults), draft_rows.in_toml(fields["more"], "more", faults) or {}
    for name in sorted(OWN & rest.keys() - PARTS.keys()):
        if name not in PARTLY:
            faults.append(("more", f"{name} has a field of its own in the form; write it there"))
        elif fields[name].strip():
            faults.append(("more", TWICE.format(name)))
    lists = draft_lists.read(fields, rest, elections, registry, faults)
    alone = values_of(tuple(CELLS.values()), fields, "", faults)
    tlp, _, audience = fields["to"].partition("/")
    if tlp not in tuple(Tlp) or not audience:
        faults.append(("to", "choose who may read it"))
    if fields.get(PASTE, "").strip():
        faults.append((PASTE, "no further row has room; write these in TOML, under More, or take rows out"))
    if faults:
        return Read(problems=tuple(Problem(field, text) for field, text in faults))
    first: dict[str, Any] = {name: fields[name].strip() for name in _TEXTS if fields[name].strip()}
    if fields["machine_translated"]:
        first["machine_translated"] = True
    plain = (*_WORDS, *_PLAIN, "msg_type")
    document: dict[str, Any] = {
        "info": [ordered(Info, first), *lists.pop("info", ())],
        "body": body,
        "tlp": tlp,
        "audience": audience,
        **{name: fields[name].strip() for name in plain if fields[name].strip()},
        **alone,
        **lists,
        **rest,
    }
    try:
        raw = msgspec.json.format(msgspec.json.encode(ordered(Draft, document)), indent=2)
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
        text: the finding; that of a missing field begins with its name.
    """
    parts = path.removeprefix("$").removeprefix(".").replace("[", ".").replace("]", "").split(".")
    if missing := _MISSING.match(text):
        parts.append(missing[1])
    if parts[:2] == ["info", "0"]:
        return next((each for each in parts[2:] if each in (*_TEXTS, "machine_translated")), "more")
    if parts == ["body", "kind"]:
        return "to"
    if parts[0] == "body":
        return f"{FACTS}{'.'.join(parts[1:])}"
    return draft_lists.field_of(parts) or _PLACES.get(parts[0], "more" if parts[0] else "")


def typed_at(fields: Mapping[str, str], field: str) -> str:
    """The field of a form that a finding stands beside.

    Args:
        fields: the form that says the draft.
        field: as `field_of` gives it.
    """
    if field.startswith(FACTS):
        return draft_facts.typed_at(fields, field)
    return draft_lists.typed_at(fields, field)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(field, text before, text after) of each field that differs, for two who have written at the same time."""
    facts = draft_facts.facts_of(after["kind"]).blank
    for name in (*FIELDS, *facts, *draft_rows.differing(before, after)):
        if before.get(name, "") != after.get(name, ""):
            yield name, before.get(name, ""), after.get(name, "")


def _said(value: object) -> str:
    return "" if value is None else str(value)
