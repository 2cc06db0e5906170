"""The specification says what the code does: every rule, reason, bound and type it names is the code's, and none is missing."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from bus.admission.steps import IAT_SLACK_S, LATE_AFTER, REASONS
from bus.bundle import file
from bus.keys.signatures import _SIGNATURE_BYTES
from bus.trust.registry import CLOCK_SKEW
from schemas import codec, envelope, glance, merkle, registry, rules, subject
from schemas.export import FOLDER

PAGE = (FOLDER.parent / "SPEC.md").read_text("utf-8")
LIMITS = {
    "payload": f"{codec.MAX_PAYLOAD_BYTES} bytes",
    "nesting": f"{codec.MAX_DEPTH}",
    "signature header": f"{envelope.MAX_HEADER_BYTES} bytes, {envelope.MAX_SIGNATURES} entries",
    "protected header": f"{envelope.MAX_PROTECTED_BYTES} characters encoded",
    "signature": "6144 characters encoded",
    "signatures in a file": f"{envelope.MAX_SIGNATURES} of a bulletin, {envelope.MAX_FILE_SIGNATURES} of a registry",
    "batch": f"{merkle.MIN_SIZE} to {merkle.MAX_SIZE} bulletins, a path of at most "
    f"{max(merkle.path_length(index, merkle.MAX_SIZE) for index in range(merkle.MAX_SIZE))} hashes",
    "beacon": f"{registry.MAX_BEACON_BYTES} bytes",
    "revocation statement": f"{registry.MAX_REVOKE_BYTES} bytes, 32 keys",
    "reach of a statement": f"{registry.STATEMENT_REACH_DAYS} days before its issue",
    "age of a statement": f"{registry.STATEMENT_AGE_DAYS} days when first heard",
    "life of a beacon": f"{registry.BEACON_LIFE_HOURS} hours",
    "lead of a beacon": f"{registry.BEACON_LEAD} versions",
    "revoked keys remembered": f"{registry.MAX_REMEMBERED}",
    "keys in a registry": f"{registry.MAX_KEYS}",
    "subject": f"{subject.MAX_SUBJECT} characters",
    "life of a bulletin": f"{glance.MAX_LIFETIME.days} days",
    "bundle": f"{file.MAX_BUNDLE_BYTES // 2**30} GiB, {file.MAX_LINES} lines",
    "registry": f"{registry.MAX_REGISTRY_BYTES // 2**20} MiB",
}


def section(title: str) -> str:
    """The text under one heading."""
    return PAGE.split(f"{title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_rule_is_written_out_in_order() -> None:
    """Those that one bulletin alone can break, and R25, which takes two."""
    told = re.findall(r"^\| (R\d+) \| ", section("### 2.1 Cross-field rules"), re.MULTILINE)
    assert told == sorted(set(told), key=lambda rule: int(rule[1:]))
    assert set(told) == {*rules.RULES, "R25"}


def test_every_restrictive_action_is_named() -> None:
    """R11 is a closed list for whoever implements it."""
    line = next(line for line in PAGE.splitlines() if line.startswith("| R11 "))
    assert all(action in line for action in rules.RESTRICTIVE_ACTIONS)


def test_every_reason_is_named() -> None:
    """In the step that gives it, or among those of chains."""
    for reason in REASONS:
        assert f"`{reason}`" in section("## 5. Admission") + section("## 6. Chain"), reason


def test_limits_are_those_of_the_code() -> None:
    """The table has the constants, all of them and nothing else."""
    rows = re.findall(r"^\| ([a-z ]+) \| (.+) \|$", section("## 11. Limits"), re.MULTILINE)
    spaced = {name: re.sub(r"(?<=\d) (?=\d)", "", bound) for name, bound in rows if name != "what"}
    assert spaced == LIMITS


@pytest.mark.parametrize(
    "word", [*envelope.TYPES, *get_args(registry.Algorithm), *envelope.Header.__struct_encode_fields__]
)
def test_types_algorithms_and_header_members_are_named(word: str) -> None:
    """A closed set is written out where it is closed."""
    assert f"`{word}`" in section("## 4. Envelope")


def test_moments_are_those_of_the_code() -> None:
    """Five minutes of skew, 300 seconds of a signing time, fifteen minutes until late."""
    assert (CLOCK_SKEW.total_seconds(), IAT_SLACK_S, LATE_AFTER.total_seconds()) == (300, 300, 900)
    text = section("## 5. Admission")
    assert all(words in text for words in ("five minutes", "300 seconds", "15 minutes"))
    assert str(_SIGNATURE_BYTES["ML-DSA-65"]) in section("## 4. Envelope")
