"""A draft as a person wrote it: every fault at once, each with its place, and no bytes that end it otherwise."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import inspect

from bus.drafts import DRAFTED, Finding, Look, Speaker, answered, begun, look, questions, read, stamped, told
from bus.drafts.fields import MOST_FAULTS, shaped
from bus.drafts.phrases import field_names, of_vocabulary
from bus.drafts.source import Source, written
from schemas import rules
from schemas.bodies import KINDS
from schemas.bulletin import Defaults, Draft
from schemas.codec import MAX_PAYLOAD_BYTES, decode_draft, encode_time, time_names
from schemas.errors import SchemaError
from schemas.vocab import Pap, Tlp
from tests.support.places import EXAMPLES
from tests.support.world import shared_world
from tests.unit.bus.drafts.test_composing import reply

NOW = dt.datetime(2026, 11, 28, 22, tzinfo=dt.UTC)
DRAFTS = sorted((EXAMPLES / "drafts").glob("*.toml"))
GIVEN = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
GOOD = b"""urgency = "expected"
severity = "moderate"
certainty = "observed"
confidence = { credibility = 2 }

[[info]]
lang = "en"
headline = "Flood against the results page of XA"
summary = "results.example answered one request in ten for half an hour."

[body]
kind = "cyber-incident"
stage = "early-warning"
classification = "availability:ddos"
detected = "2026-11-20T09:10:00Z"
significant = true
"""


def speaker(**more: Any) -> Speaker:
    """The CSIRT of the world of the tests."""
    registry = shared_world().registry
    return Speaker(issuer=registry.issuer("xa-csirt"), given=GIVEN, now=NOW, **more)


def with_line(old: str, new: str) -> bytes:
    """The good draft with one line in place of another."""
    text = GOOD.decode()
    assert old in text
    return text.replace(old, new).encode()


def found(raw: bytes) -> Look:
    """What is found in a draft by its shape, rules and judgement."""
    return look(raw, speaker(), NOW)


def places(result: Look) -> list[tuple[str, int | None, int | None]]:
    """Rule, line and column of each finding."""
    return [(each.rule, each.line, each.column) for each in result.findings]


def test_a_good_draft_is_found_good() -> None:
    """Nothing is said of it, and it is what the decoder makes of it."""
    result = found(GOOD)
    assert result.findings == ()
    assert result.draft is not None
    assert result.draft.kind == "cyber-incident"


def test_four_faults_are_told_in_one_run_by_line() -> None:
    """A word, a field, a time without zone, and a rule that has nothing to do with them."""
    raw = GOOD.replace(b'severity = "moderate"', b'severty = "moderat"\ntlp = "clear"')
    raw = raw.replace(b'"2026-11-20T09:10:00Z"', b"2026-11-20T09:10:00")
    assert places(found(raw)) == [
        ("schema", 2, 1),
        ("schema", 2, 11),
        ("schema", 16, 12),
        ("R24", None, None),
    ]


FAULTS: dict[str, tuple[str, str, int, int, str]] = {
    "a word that is none": (
        '"moderate"',
        '"moderat"',
        2,
        12,
        '"moderat" is not a word of severity; did you mean moderate?',
    ),
    "a number beyond its bounds": ("= 2 }", "= 9 }", 4, 30, "9 is not a whole number from 1 to 6"),
    "a fraction": ("= 2 }", "= 1.5 }", 4, 30, "1.5 is not a whole number from 1 to 6"),
    "an unknown field of a table": (
        "{ credibility = 2 }",
        "{ credibilty = 2 }",
        4,
        16,
        "there is no field credibilty here; did you mean credibility?",
    ),
    "text for truth": ("= true", '= "yes"', 16, 15, '"yes" is not true or false, without quotes'),
    "a text for a table": (
        "{ credibility = 2 }",
        '"high"',
        4,
        14,
        '"high" is not a table with score, source',
    ),
    "a language in words": (
        'lang = "en"',
        'lang = "English"',
        7,
        8,
        '"English" is not a language by its code',
    ),
    "an empty text": (
        '"Flood against the results page of XA"',
        '""',
        8,
        12,
        "the text is empty; write something, or leave the field out",
    ),
    "a field that is missing": (
        'stage = "early-warning"\n',
        "",
        11,
        2,
        "stage is missing: a word of nis2-stage",
    ),
    "a field of the top below a heading": (
        "significant = true",
        'significant = true\ntlp = "red"',
        17,
        1,
        "there is no field tlp in cyber-incident; it belongs to the top of the draft",
    ),
    "a field of the body at the top": (
        'urgency = "expected"',
        'stage = "early-warning"\nurgency = "expected"',
        1,
        1,
        "there is no field stage here; it belongs below [body]",
    ),
    "a kind that is none": (
        '"cyber-incident"',
        '"cyber-incidnt"',
        12,
        8,
        '"cyber-incidnt" is not a word of kind; did you mean cyber-incident?',
    ),
    "a time without zone": (
        '"2026-11-20T09:10:00Z"',
        '"2026-11-20 09:10:00"',
        15,
        12,
        "2026-11-20 09:10:00 has no time zone; write 2026-11-20T09:10:00Z if it is UTC, or add the offset",
    ),
    "a day for a time": (
        '"2026-11-20T09:10:00Z"',
        "2026-11-20",
        15,
        12,
        "2026-11-20 is a day, but a time is needed; write 2026-11-20T09:30:00Z in UTC",
    ),
    "a time without seconds": (
        '"2026-11-20T09:10:00Z"',
        '"2026-11-20T09:10+01:00"',
        15,
        12,
        "2026-11-20T09:10+01:00 is not in the form of a time; write 2026-11-20T09:10:00+01:00",
    ),
    "a time that there is not": (
        '"2026-11-20T09:10:00Z"',
        '"2026-11-31T09:10:00Z"',
        15,
        12,
        "there is no such time as",
    ),
    "a name with spaces": (
        "significant = true",
        'significant = true\nassets = ["Results Portal"]',
        17,
        11,
        '"Results Portal" is not a word of small letters, digits and hyphens, at most 64, as results-portal; did you mean results-portal?',
    ),
    "no list": (
        "significant = true",
        'significant = true\nassets = "results-portal"',
        17,
        10,
        '"results-portal" is not a list in [ ], each entry a word of small letters',
    ),
    "words without quotes": (
        '"moderate"',
        "moderate",
        2,
        12,
        "this is not a value in TOML; put text in quotes",
    ),
    "a name twice": (
        "significant = true",
        "significant = true\nsignificant = false",
        17,
        1,
        "this name stands twice; keep one of the two",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_in_words_where_it_stands(name: str) -> None:
    """One fault, one finding, with its line and column."""
    old, new, line, column, text = FAULTS[name]
    (only,) = [each for each in found(with_line(old, new)).findings if each.grade == "error"][:1]
    assert (only.line, only.column) == (line, column)
    assert only.text.startswith(text)


def test_a_fault_hides_no_other_and_makes_none() -> None:
    """A wrong word of severity neither hides a broken rule nor lets one seem broken."""
    raw = with_line('"moderate"', '"moderat"').replace(b"2026-11-20T09", b"2027-11-20T09")
    assert [each.rule for each in found(raw).findings] == ["schema", "R32"]


def test_words_are_shown_ten_and_counted() -> None:
    """A long vocabulary is named, the nearest word first."""
    (only,) = found(with_line('"availability:ddos"', '"availability:ddoss"')).findings
    assert (only.grade, only.rule, only.nearest) == ("remark", "rsit", "availability:ddos")
    assert only.words[0] == "availability:ddos"
    assert len(only.words) == 10
    assert only.choice.endswith(f"and {only.more} more: tocsin vocab rsit")


def test_the_caret_stands_below_what_is_wrong() -> None:
    """Whatever stands before it on the line: wide letters, tabs, much text."""
    raw = with_line(
        'summary = "results',
        f'public_line = "{"選挙" * 60}"\nsummary = "\\uD800results'.replace("\\uD800", "x"),
    ).replace(b'"en"', b'"\xe8\x8b\xb1\xe8\xaa\x9e"')
    (only,) = [each for each in found(raw).findings if each.rule == "schema"]
    head, line, caret = told(only, Source(raw), "draft.toml")[:3]
    assert head.startswith("draft.toml:7:8: info[0].lang: ")
    assert line == '    7 | lang = "英語"'
    assert caret == "      |        ^^^^^^"


def test_json_has_lines_too() -> None:
    """The same faults in a draft of JSON, and a name that stands twice."""
    text = json.dumps(tomllib.loads(GOOD.decode()), indent=1)
    raw = text.replace('"moderate"', '"moderat"').replace(
        '"significant": true', '"significant": 1,\n"significant": true'
    )
    result = found(raw.encode())
    assert [(each.rule, each.line) for each in result.findings] == [("schema", 3), ("duplicate-member", 21)]
    broken = found(text.replace("true", "tru").encode())
    assert [(each.rule, each.line) for each in broken.findings] == [("malformed-payload", 20)]


UNREADABLE = {
    "nothing": (b" \n", "empty"),
    "too much": (b" " * MAX_PAYLOAD_BYTES + b"{}", "too-large"),
    "no text": (b"\xff\x00\x81", "malformed-payload"),
    "UTF-16": ("{}".encode("utf-16"), "malformed-payload"),
    "a mark of byte order": (b"\xef\xbb\xbf" + GOOD, "malformed-payload"),
    "half an object": (b'{"info":', "malformed-payload"),
    "deep": (b'{"info":' + b"[" * 40 + b"]" * 40 + b"}", "malformed-payload"),
    "deeper": (b"a = " + b"[" * 5000 + b"]" * 5000, "malformed-payload"),
    "a number without end": (b"a = " + b"9" * 5000, "malformed-payload"),
    "half a character": (
        b'{"info":[{"lang":"en","headline":"\\ud800","summary":"x"}],"body":{"kind":"rfi"}}',
        "schema",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_told_so(name: str) -> None:
    """With a reason code and a sentence."""
    raw, reason = UNREADABLE[name]
    result = found(raw)
    assert result.draft is None
    assert reason in {each.rule for each in result.findings}


@pytest.mark.parametrize("size", [300, 3000, 60_000])
@pytest.mark.parametrize("name", ["references", "info", "observables", "dimensions"])
def test_a_flood_of_faults_costs_no_more_than_may_stand_there(name: str, size: int) -> None:
    """Entries beyond the most that a list may have are counted and not looked at; faults beyond the most told are counted."""
    value = {name: [{}] * size, "body": {"kind": "cyber-threat", **{f"x{n}": 1 for n in range(size)}}}
    shape = shaped(value, NOW)
    assert len(shape.faults) == MOST_FAULTS
    assert shape.more >= size - MOST_FAULTS
    assert all(path[1] < 2000 for path, *_ in shape.faults if len(path) > 1 and isinstance(path[1], int))
    if size <= 3000:  # more is too large for a draft
        last = read(json.dumps(value).encode(), NOW).findings[-1]
        assert last.text == f"{shape.more} more faults are not told; mend these first"


RSIT = of_vocabulary("rsit")


@given(words=st.lists(st.sampled_from(RSIT), min_size=1, max_size=5), data=st.data())
def test_a_wrong_word_in_a_list_has_the_nearest_and_its_own_place(
    words: list[str], data: st.DataObject
) -> None:
    """As a word that stands alone has."""
    n = data.draw(st.integers(0, len(words) - 1))
    wrong = words[n][:-1]
    assume(wrong not in RSIT)
    entries = ", ".join(f'"{word}"' for word in [*words[:n], wrong, *words[n + 1 :]])
    raw = GOOD.replace(b'kind = "cyber-incident"', b'kind = "cyber-threat"\ntitle = "A flood"')
    raw = raw.partition(b"stage =")[0] + f"classification = [{entries}]\n".encode()
    (remark,) = [each for each in found(raw).findings if each.rule == "rsit"]
    assert remark.path == f"$.body.classification[{n}]"
    assert remark.nearest is not None
    assert remark.nearest in remark.text
    assert remark.line is not None
    line = raw.decode().splitlines()[remark.line - 1]
    assert remark.column is not None
    assert line[remark.column - 1 :].startswith(f'"{wrong}"')


@given(st.binary(max_size=400))
def test_whatever_bytes_come_end_in_findings_or_a_draft(raw: bytes) -> None:
    """Never in anything else."""
    result = found(raw)
    assert (result.draft is None) == any(each.grade == "error" for each in read(raw, NOW).findings)
    for each in result.findings:
        told(each, result.source, "draft")


def changes(value: Any) -> Iterator[tuple[list[Any], Any]]:
    """Every place of a draft: the container and the name or number in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in list(items):
        yield value, name
        yield from changes(below)


ODD: list[Any] = [
    None,
    True,
    7,
    -1,
    2**60,
    1.5,
    "",
    "x",
    "X y",
    "2026-11-28",
    "2026-11-28T10:00:00+02:00",
    [],
    ["a"],
    [{}],
    [{"lang": "en", "text": "x"}],
    {},
    {"a": 1},
]


_TIMED = re.compile(
    rb'("(?:'
    + "|".join(sorted(time_names())).encode()
    + rb')":")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))(?=")'
)


def in_utc(raw: bytes) -> bytes:
    """A draft of JSON whose times end in Z, by another way than the room's."""

    def moved(found: re.Match[bytes]) -> bytes:
        return found[1] + encode_time(dt.datetime.fromisoformat(found[2].decode())).encode()

    return _TIMED.sub(moved, raw)


NAMES = sorted({name for type_ in (Draft, *KINDS.values()) for name in field_names(type_)} | {"tpl", "x"})


def answers(kind: str) -> dict[Any, Any]:
    """What each question for a kind may be answered with."""
    return {
        each.path: answered(each, reply(each), NOW).value
        for each in questions(kind, {"tlp": "green", "audience": "community"})
    }


BASES = (*(path.read_text("utf-8") for path in DRAFTS), *(begun(kind, answers(kind)) for kind in DRAFTED))


@given(st.sampled_from(BASES), st.data())
def test_the_shape_is_judged_as_the_decoder_judges_it(base: str, data: st.DataObject) -> None:
    """A draft with some values changed, taken out or added has no fault exactly where it decodes."""
    document = tomllib.loads(base)
    for _ in range(data.draw(st.integers(1, 2))):
        container, name = data.draw(st.sampled_from(list(changes(document))))
        how = data.draw(st.sampled_from(["change", "drop", "add"]))
        if how == "drop":
            del container[name]
        elif how == "add" and isinstance(container, dict):
            container[data.draw(st.sampled_from(NAMES))] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
        else:
            container[name] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
        if not list(changes(document)):
            break
    raw = msgspec.json.encode(document, enc_hook=str)
    result = read(raw, NOW)
    try:
        decoded: Draft | None = decode_draft(in_utc(raw))
    except SchemaError:
        decoded = None
    assert (result.draft is None) == (decoded is None), result.findings
    if decoded is not None:
        assert result.draft == decoded


@pytest.mark.parametrize("path", DRAFTS, ids=lambda path: path.name)
def test_rules_and_doubts_are_those_of_judgement(path: Any) -> None:
    """At TLP:CLEAR to the community and issued a year before, an example breaks what the rules say it breaks."""
    early = NOW - dt.timedelta(days=400)
    registry = shared_world().registry
    issuer = registry.issuer("xa-csirt")

    def marked(draft: Draft) -> Draft:
        return msgspec.structs.replace(draft, tlp=Tlp.CLEAR)

    result = look(
        path.read_bytes(),
        Speaker(issuer=issuer, given=GIVEN, now=early, marked=marked),
        early,
    )
    draft = read(path.read_bytes(), early).draft
    assert draft is not None
    broken = rules.violations(stamped(marked(draft), issuer, GIVEN, early))
    assert broken
    assert {(each.rule, each.path) for each in broken} <= {
        (each.rule, each.path) for each in result.findings if each.grade == "error"
    }


def patterns(
    type_: inspect.Type, extra: dict[str, Any], where: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every pattern below a type, with where it stands and what stands beside it."""
    if isinstance(type_, inspect.Metadata):
        yield from patterns(type_.type, {**extra, **(type_.extra or {})}, where)
    elif isinstance(type_, inspect.StructType):
        for each in type_.fields:
            yield from patterns(each.type, {}, f"{type_.cls.__name__}.{each.encode_name}")
    elif isinstance(type_, inspect.UnionType):
        for kind in type_.types:
            yield from patterns(kind, extra, where)
    elif isinstance(type_, inspect.VarTupleType):
        yield from patterns(type_.item_type, extra, where)
    elif isinstance(type_, inspect.StrType) and type_.pattern is not None:
        yield where, type_.pattern, extra


def test_every_pattern_says_in_words_what_it_takes() -> None:
    """So that no regular expression reaches a person; the example is one that it takes."""
    for where, pattern, extra in patterns(inspect.type_info(Draft), {}, ""):
        assert "says" in extra, where
        assert re.match(r"an? ", extra["says"]), where
        assert re.search(pattern, extra["like"]), where
        assert pattern not in extra["says"], where


def test_a_path_leads_to_the_place_of_each_value() -> None:
    """Of every value in every example, the text at its place is the value's own."""
    for path in DRAFTS:
        source = Source(path.read_bytes())

        def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
            items = (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else None
            )
            if items is None:
                yield way, value
            else:
                for name, below in items:
                    yield from leaves(below, (*way, name))

        for way, value in leaves(source.value):
            node, is_there = source.node(way)
            assert is_there, written(way)
            assert node.value is not None
            assert tomllib.loads(f"x = {source.text[node.value.start : node.value.end]}")["x"] == value


def test_a_finding_is_json() -> None:
    """What a program is told has the shape of the struct."""
    (only,) = found(with_line('"moderate"', '"moderat"')).findings
    assert msgspec.json.decode(msgspec.json.encode(only), type=Finding) == only


def test_findings_of_one_place_stand_in_the_order_in_which_they_are_asked() -> None:
    """The order does not change from one process to the next."""
    bare = msgspec.structs.replace(speaker(), given=Defaults())
    missing = [each.text.split()[0] for each in look(GOOD, bare, NOW).findings]
    assert missing == ["tlp", "pap", "audience"]
