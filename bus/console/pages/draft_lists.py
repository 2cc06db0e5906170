"""The lists and parts that any draft may have, as rows of its form and back; what no row says stands in the text in TOML. Pure.

Some of them are said in two ways: countries by their codes and other places by rows, an election of the calendars by a choice and
another by a row, who is held responsible by a row and its actors by rows of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bus.console.pages import draft_ends, draft_rows
from bus.console.pages.draft_cells import Faults
from bus.console.pages.draft_completing import by_registry, strictest
from bus.console.pages.draft_rows import TWICE, Fields
from bus.console.pages.draft_tables import MORE, TABLES
from bus.console.pages.draft_types import ordered
from schemas.parts import Attribution, ElectionRef, PersonalData
from schemas.registry import Registry

TEXT = "more"
"""The field of the text."""
_ATTRIBUTION, _ACTORS = TABLES["attribution"], TABLES["actors"]
PARTS = {table.wire: table for table in TABLES.values() if table is not _ACTORS}
"""Each list and part by its name on the wire."""
_SCOPES = {"EU": "eu", "INT": "international"}


# -- from a draft ---------------------------------------------------------------------------------------------------------


def of_document(
    document: Mapping[str, Any], elections: Mapping[str, ElectionRef], facts: Fields
) -> tuple[dict[str, str], dict[str, Any]]:
    """(the fields of the form for lists and parts of a draft, what of them no field says).

    Args:
        document: the draft, any JSON.
        elections: those that the form offers, by id.
        facts: the fields of the form for its facts.
    """
    held: dict[str, Any] = {name: document.get(name) for name in PARTS}
    held["info"] = list(held["info"] or ())[1:] or None
    codes = _codes_in(held["areas"])
    if codes:
        held["areas"] = held["areas"][len(codes) :] or None
    fields = {"areas": ", ".join(codes), "election": _known(held["election"], elections)}
    if fields["election"]:
        held["election"] = None
    if isinstance(held["attribution"], dict):
        actors, held["attribution"] = _apart(held["attribution"])
        fields |= actors
    rest: dict[str, Any] = {}
    for name, table in PARTS.items():
        said, unsaid = held[name], None
        if table.name in draft_ends.ENDS:
            said, unsaid = draft_ends.of_entries({**facts, **fields}, table, said)
        rows, more = draft_rows.of_entries(table, said) if said else ({}, said)
        fields |= rows
        left = more if unsaid is None else [*(more or ()), *unsaid]
        if left is not None:
            rest[name] = left
    return fields, rest


def _codes_in(areas: Any) -> list[str]:
    """The codes of the countries that areas begin with."""
    found: list[str] = []
    for each in areas if isinstance(areas, list) else ():
        code = each.get("country") if isinstance(each, dict) else None
        if not isinstance(code, str) or each != _area(code) or _codes(code) != [code]:
            break
        found.append(code)
    return found


def _known(election: Any, elections: Mapping[str, ElectionRef]) -> str:
    """The id of an election that the form offers; empty for another, or where the draft says otherwise of it."""
    known = elections.get(str(election.get("id"))) if isinstance(election, dict) else None
    is_same = known is not None and _unphased(msgspec.to_builtins(known)) == _unphased(election)
    return known.id if known is not None and is_same else ""


def _unphased(election: Mapping[str, Any]) -> dict[str, Any]:
    """An election without its phase, which the form sets anew, and without what is as usual."""
    return {
        name: value
        for name, value in election.items()
        if name != "phase" and value is not None and (name, value) != ("round", 1)
    }


def _apart(attribution: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any] | None]:
    """(rows for the actors, the attribution without them, None for nothing); no rows where no row says the rest of it."""
    rows, unsaid = draft_rows.of_entries(_ACTORS, attribution.get("actors"))
    others = {name: value for name, value in attribution.items() if name != "actors"}
    others |= {"actors": unsaid} if unsaid else {}
    is_said = rows and (not others or draft_rows.of_entries(_ATTRIBUTION, others)[0])
    return (rows, others or None) if is_said else ({}, attribution)


# -- to a draft -----------------------------------------------------------------------------------------------------------


def read(
    fields: Fields,
    rest: dict[str, Any],
    elections: Mapping[str, ElectionRef],
    registry: Registry | None,
    faults: Faults,
) -> dict[str, Any]:
    """What fields and rows say, each with what the text has beside it, which is taken out of it.

    Args:
        fields: the form.
        rest: what the text says.
        elections: those that the form offers, by id, each with the phase of now.
        registry: completes what follows from it; None for nothing.
        faults: takes what cannot be read.
    """
    found: dict[str, Any] = {}
    for name, table in PARTS.items():
        held = draft_rows.beside(fields, table, rest, TEXT, faults)
        if table.name in draft_ends.ENDS and isinstance(held, list):
            draft_ends.counted(fields, table, held, faults)
        if name == "info" and not isinstance(held, list | None):
            faults.append((TEXT, "info is a list, with a table for each further language"))
        elif held is not None:
            found[name] = held
    _areas(fields, found, faults)
    _election(fields, found, elections, faults)
    _attribution(fields, found, faults)
    if registry is not None:
        by_registry(found, registry)
    declared = found.get("personal_data")
    if isinstance(declared, dict) and "flag" not in declared:
        flag = strictest(found.get("observables"))
        found["personal_data"] = ordered(PersonalData, declared | ({"flag": flag} if flag else {}))
    return found


def _areas(fields: Fields, found: dict[str, Any], faults: Faults) -> None:
    countries, others = [_area(code) for code in _codes(fields["areas"])], found.get("areas", [])
    if countries and not isinstance(others, list):
        faults.append((TEXT, "areas is a list of tables; write [[areas]] above each"))
    elif countries:
        found["areas"] = [*countries, *others]


def _election(
    fields: Fields, found: dict[str, Any], elections: Mapping[str, ElectionRef], faults: Faults
) -> None:
    chosen = fields["election"]
    if not chosen:
        return
    if "election" in found:
        faults.append(("ballot", "an election is chosen, too; keep one of the two"))
    elif chosen in elections:
        found["election"] = msgspec.to_builtins(elections[chosen])
    else:
        faults.append(("election", "this hub knows no such election; choose another, or describe it below"))


def _attribution(fields: Fields, found: dict[str, Any], faults: Faults) -> None:
    if not draft_rows.said(fields, _ACTORS):
        return
    row = draft_rows.said(fields, _ATTRIBUTION)
    if "attribution" in found and not row:
        faults.append((TEXT, TWICE.format("attribution")))
        return
    whole = found.get("attribution", {})
    whole["actors"] = draft_rows.beside(fields, _ACTORS, whole, _text_of_actors(fields), faults)
    found["attribution"] = ordered(Attribution, whole)


def _text_of_actors(fields: Fields) -> str:
    row = draft_rows.said(fields, _ATTRIBUTION)
    return f"attribution.{row[0][0]}.{MORE}" if row else TEXT


def _codes(text: str) -> list[str]:
    return text.replace(",", " ").upper().split()


def _area(country: str) -> dict[str, str]:
    return {"scope": _SCOPES.get(country, "country"), "country": country}


# -- findings -------------------------------------------------------------------------------------------------------------


def field_of(path: Sequence[str]) -> str:
    """The field that a path of a draft leads to, as `draft_rows.field_of`; empty where it leads to no list and no part."""
    if list(path[:2]) == ["attribution", "actors"]:
        return draft_rows.field_of(_ACTORS, path[2:])
    return draft_rows.field_of(PARTS[path[0]], path[1:]) if path[0] in PARTS else ""


def typed_at(fields: Fields, field: str) -> str:
    """The field of a form that a finding stands beside.

    Args:
        fields: the form that says the draft.
        field: as `field_of` gives it, or any other.
    """
    name, _, place = field.partition(".")
    if name == "ballot" and fields["election"]:
        return "election"
    if name == "places":
        number, _, cell = place.partition(".")
        countries = len(_codes(fields["areas"]))
        if not number or int(number) < countries:
            return "areas"
        field = ".".join(filter(None, (name, str(int(number) - countries), cell)))
    return draft_rows.typed_at(fields, field, _text_of_actors(fields) if name == "actors" else TEXT)
