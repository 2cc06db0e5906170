"""Explains a rule or a reason code, from the one place where each is written.

The sentence and source of a rule stand at its function, its exact text in the specification, and examples in the
vectors. Reason codes stand in `docs/reason-codes.md`; a link beside this module leads there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

import schemas
from bus.drafts.phrases import nearest
from schemas.bulletin import Draft
from schemas.codec import decode
from schemas.errors import SchemaError
from schemas.rules import RULES, r25, violations

_SCHEMAS = Path(schemas.__file__).parent
_CODES = Path(__file__).parent / "reason-codes.md"
_ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \| (.+) \|$")
_RULE_ROW = re.compile(r"^\| (R\d+) \| (.+) \|$", re.MULTILINE)
_RULE = re.compile(r"(?:rule:)?r(\d+)", re.IGNORECASE)
_SOURCE = re.compile(r" \(([^()]*(?:\([^()]*\)[^()]*)*)\)\.?$")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MOST_EXAMPLES = 2


class Example(msgspec.Struct, frozen=True):
    """An example that a rule accepts or refuses.

    Attributes:
        what: in words.
        fields: the relevant fields of a draft, as JSON.
        where: the refused path; empty if the rule accepts it.
        told: the sentence for its author; empty if the rule accepts it.
    """

    what: str
    fields: str
    where: str = ""
    told: str = ""


class Meaning(msgspec.Struct, frozen=True):
    """The meaning of one reason code, and the heading it stands under."""

    code: str
    where: str
    text: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The explanation of a rule or code.

    Attributes:
        word: the number of a rule, or the code.
        says: the rule in one sentence; empty for a code.
        source: the law, the standard or the fact behind a rule.
        letter: the exact text of the rule in the specification.
        meanings: the meanings of a code, one for each heading; empty for a rule.
        right, wrong: examples that the rule accepts, and that it refuses.
    """

    word: str
    says: str = ""
    source: str = ""
    letter: str = ""
    meanings: tuple[Meaning, ...] = ()
    right: tuple[Example, ...] = ()
    wrong: tuple[Example, ...] = ()


def explained(word: str) -> Explained | None:
    """The explanation of a rule (`R24`, `rule:R24`) or a reason code; None if there is none."""
    number = _RULE.fullmatch(word.strip())
    if number is not None:
        return _rule(f"R{int(number[1])}") if len(number[1]) < 5 else None
    code = word.strip().lower()
    found = _codes().get(code)
    return None if found is None else Explained(word=code, meanings=found)


def like(word: str) -> str | None:
    """The rule or code that a word is most like."""
    return nearest(word, [*_codes(), *RULES])


def _rule(name: str) -> Explained | None:
    rule = {**RULES, "R25": r25}.get(name)
    if rule is None:
        return None
    says = " ".join((rule.__doc__ or "").split())
    found = _SOURCE.search(says)
    right, wrong = _examples(name)
    return Explained(
        word=name,
        says=says if found is None else f"{says[: found.start()]}.",
        source="" if found is None else found[1],
        letter=_letters().get(name, ""),
        right=right,
        wrong=wrong,
    )


@cache
def _letters() -> Mapping[str, str]:
    return dict(_RULE_ROW.findall((_SCHEMAS / "SPEC.md").read_text("utf-8")))


@cache
def _codes() -> Mapping[str, tuple[Meaning, ...]]:
    """Every code of the page, with its meaning under each heading: code -> meanings."""
    found: dict[str, tuple[Meaning, ...]] = {}
    where = ""
    for line in _CODES.read_text("utf-8").splitlines():
        if line.startswith("## "):
            where = line.removeprefix("## ")
        elif row := _ROW.match(line):
            for code in re.findall(r"`([^`]+)`", row[1]):
                found[code] = (*found.get(code, ()), Meaning(code, where, _LINK.sub(r"\1", row[2])))
    return found


@cache
def _vectors() -> tuple[dict[str, Any], ...]:
    document = json.loads((_SCHEMAS / "vectors" / "rules_vectors.json").read_text("utf-8"))
    return tuple(test for group in document["testGroups"] for test in group["tests"])


@cache
def _base() -> Mapping[str, Any]:
    """The bulletin that the vectors start from: for each field, its most frequent value."""
    said: dict[str, dict[str, int]] = {}
    for test in _vectors():
        for name, value in json.loads(test["input"]).items():
            counts = said.setdefault(name, {})
            text = json.dumps(value)
            counts[text] = counts.get(text, 0) + 1
    half = len(_vectors()) / 2
    most = {name: max(counts.items(), key=lambda each: each[1]) for name, counts in said.items()}
    return {name: json.loads(text) for name, (text, count) in most.items() if count > half}


def _examples(name: str) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    right: list[Example] = []
    wrong: list[Example] = []
    for test in _vectors():
        if name not in test["flags"] or any(each["rule"] != name for each in test["violations"]):
            continue
        said = json.loads(test["input"])
        fields = {
            each: value
            for each, value in said.items()
            if each in Draft.__struct_fields__ and value != _base().get(each)
        }
        text = json.dumps(fields, ensure_ascii=False) if fields else ""
        if test["result"] == "valid":
            right.append(Example(test["comment"], text))
            continue
        try:
            broken = violations(decode(test["input"].encode()))
        except SchemaError:
            continue
        wrong += [
            Example(test["comment"], text, each.path, each.text) for each in broken[:1] if each.rule == name
        ]
    return tuple(right[:_MOST_EXAMPLES]), tuple(wrong[:_MOST_EXAMPLES])
