"""The pattern reader takes what the STIX 2.1 grammar allows and says which values a pattern names exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.formats.stix.patterns import MAX_PATTERN_CHARS, PatternError, read_pattern

EXACT = {
    "[ipv4-addr:value = '192.0.2.1']": ["192.0.2.1"],
    "[ url:value == 'http://a.example/' OR domain-name:value='a.example' ]": [
        "http://a.example/",
        "a.example",
    ],
    "[domain-name:value IN ('a.example', 'b.example')]": ["a.example", "b.example"],
    "[url:value = 'a'] OR [url:value = 'b']": ["a", "b"],
    "([file:hashes.'SHA-256' = 'ab'])": ["ab"],
    "[file:name = 'it\\'s \\\\ here']": ["it's \\ here"],
    "[a:b = 1] /* said twice */ OR [a:b = 2] // or so": ["1", "2"],
    "[x-usb:d.serial_number = 'x']": ["x"],
}
MORE = [
    "[file:name = 'a' AND file:size = 3]",
    "[url:value = 'a'] AND [url:value = 'b']",
    "[url:value = 'a'] FOLLOWEDBY [url:value = 'b']",
    "[url:value = 'a'] WITHIN 5 SECONDS",
    "[url:value = 'a'] START t'2027-01-01T00:00:00Z' STOP t'2027-01-02T00:00:00.5Z'",
    "[url:value = 'a'] REPEATS 3 TIMES WITHIN 0.5 SECONDS",
    "[url:value NOT = 'a' OR url:value = 'b']",
    "[url:value != 'a' OR url:value = 'b']",
    "[file:size >= 3 OR file:name = 'a']",
    "[file:name LIKE 'a%']",
    "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
    "[EXISTS file:name]",
    "[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]",
    "[email-message:body_multipart[0].body_raw_ref.name MATCHES'^a']",
]
BAD = {
    "empty": "",
    "no brackets": "url:value = 'a'",
    "open bracket": "[url:value = 'a'",
    "nothing compared": "[url:value]",
    "no value": "[url:value = ]",
    "bare word": "[file:hashes.MD5 = cead]",
    "open string": "[url:value = 'a]",
    "slashes": "[file:name MATCHES /a/]",
    "lower case keyword": "[a:b = 1] within 2 seconds",
    "unit of hours": "[a:b = 1] WITHIN 2 HOURS",
    "no such month": "[a:b = t'2027-13-01T00:00:00Z']",
    "leap second": "[a:b = t'2027-12-01T00:00:60Z']",
    "qualifier twice": "[a:b = 1] WITHIN 2 SECONDS WITHIN 3 SECONDS",
    "zero repeats": "[a:b = 1] REPEATS 0 TIMES",
    "hyphen in a property": "[file:hash-es = 'a']",
    "keyword as a name": "[AND:b = 1]",
    "two patterns": "[a:b = 1] [a:b = 2]",
    "trailing comma": "[a:b IN (1,)]",
    "open comment": "[a:b = 1] /* so",
    "too deep": "(" * 40 + "[a:b = 1]" + ")" * 40,
    "too deep inside": "[" + "(" * 40 + "a:b = 1" + ")" * 40 + "]",
    "too long": "[a:b = '" + "x" * MAX_PATTERN_CHARS + "']",
}


@pytest.mark.parametrize(("text", "values"), EXACT.items(), ids=EXACT.keys())
def test_a_list_of_alternatives_is_exact(text: str, values: list[str]) -> None:
    """A pattern that any single one of its values satisfies is exact."""
    reading = read_pattern(text)
    assert reading.exact
    assert [named.value for named in reading.values] == values


@pytest.mark.parametrize("text", MORE)
def test_a_pattern_that_means_more_is_not_exact(text: str) -> None:
    """Conjunction, order, windows, negation and inexact comparison mean more than the values."""
    assert not read_pattern(text).exact


def test_a_negated_value_is_never_named() -> None:
    """What a pattern excludes is not among the values it asks for."""
    assert [
        n.value for n in read_pattern("[url:value NOT = 'a' OR url:value NOT IN ('b', 'c')]").values
    ] == []


def test_the_path_of_a_value_is_kept() -> None:
    """A quoted step and a list index are read; the index is not part of the path."""
    (named,) = read_pattern("[file:extensions.'x-y'.sections[*].name = 'a']").values
    assert (named.object_type, named.path) == ("file", ("extensions", "x-y", "sections", "name"))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """Everything outside the grammar or the bounds is a `PatternError`."""
    with pytest.raises(PatternError):
        read_pattern(text)


@given(st.text(alphabet="[]()'\\:=.* ORANDtbh1-ax,<>!/\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings the reader to anything but a reading or a `PatternError`."""
    try:
        reading = read_pattern(text)
    except PatternError:
        return
    assert reading.values or not reading.exact


@given(st.text(min_size=1, max_size=80))
def test_every_string_comes_back_as_it_was(value: str) -> None:
    """Quoting and unquoting a value are inverse."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    assert [named.value for named in read_pattern(f"[a:b = '{quoted}']").values] == [value]
