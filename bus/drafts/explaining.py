"""What a rule asks for, and what a reason code means, from where they are written once.

A rule's sentence and its source stand at its function, to the letter it stands in the specification, and an example of what it
takes and refuses in the vectors. A reason code stands in `docs/reason-codes.md`, which a link beside this module is.
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
    """What a rule takes or refuses.

    Attributes:
        what: in words.
        fields: what a draft says in it, beside what does not matter, as JSON.
        where: the path that is refused; empty where it stands.
        told: what its author is told; empty where it stands.
    """

    what: str
    fields: str
    where: str = ""
    told: str = ""


class Meaning(msgspec.Struct, frozen=True):
    """What one reason code means, where it is met."""

    code: str
    where: str
    text: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a word that somebody asked about.

    Attributes:
        word: the number of a rule, or the code.
        says: what a bulletin must be, in one sentence; of a code empty.
        source: the law, the standard or the fact behind a rule.
        letter: the rule to the letter, as the specification has it.
        meanings: of a code, what it means, in each place where it is met.
        right, wrong: examples of what stands, and of what is refused.
    """

    word: str
    says: str = ""
    source: str = ""
    letter: str = ""
    meanings: tuple[Meaning, ...] = ()
    right: tuple[Example, ...] = ()
    wrong: tuple[Example, ...] = ()


def explained(word: str) -> Explained | None:
    """What a rule (`R24`, `rule:R24`) or a reason code means; None where there is none."""
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
    """Every code of the page, with its meaning under each heading."""
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
    """The bulletin that the vectors change: what most of them say in a field."""
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
