"""No free text by a side door: what a document calls its members, its types and its ids is told nowhere.

Each string of each sample, name or value, is replaced by words that no format knows. They may stand in what a bulletin
says, where people read prose, but never in its provenance, in a loss, or in the words of a refusal.
"""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapters.authorities.digital import ADAPTER as DIGITAL
from adapters.runloop import recognise
from adapters.translation.reading import safe_xml
from bus.plugin import Format, FormatError, ReadContext, discover, translate
from schemas.codec import encode
from schemas.errors import TocsinError

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
CONTEXT = ReadContext(received=NOW, adapter="tocsin-test", country="XA", tz="Europe/Brussels")
DUMP = (
    (
        b"uuid,decision_visibility,decision_ground,category,source_type,platform_name,application_date\n"
        b'a,[""DECISION_VISIBILITY_CONTENT_REMOVED""],DECISION_GROUND_ILLEGAL_CONTENT,STATEMENT_CATEGORY_SCAMS_AND_FRAUD,'
        b"SOURCE_VOLUNTARY,Platform,2027-05-01\n"
    )
    .replace(b'[""', b'"[""')
    .replace(b'""]', b'""]"')
)
WORDS = "Jane Canary, Elmstreet 4"
SEEN = re.compile("canary|elmstreet", re.IGNORECASE)


def samples() -> Iterator[Any]:
    """A sample of each format of each installed adapter."""
    seen = set()
    dumps = next(each for each in DIGITAL.formats.values() if each.id == "dsa-sor-csv")
    yield pytest.param(dumps, DUMP, id="dsa-sor-csv")
    for found in discover():
        assert found.adapter is not None, found.problem
        for sample in found.adapter.samples("XA", NOW, 1):
            format_ = recognise(sample.data, found.adapter.formats.values())
            if (format_.id, sample.name) not in seen:
                seen.add((format_.id, sample.name))
                yield pytest.param(format_, sample.data, id=f"{format_.id} {sample.name}")


def places(value: Any) -> int:
    """How many strings there are in a document, names included."""
    if isinstance(value, dict):
        return sum(1 + places(each) for each in value.values()) + 1  # and one more member
    if isinstance(value, list):
        return sum(map(places, value))
    return 1


def behind(value: Any) -> str:
    """A text with the words behind it, quoted: in a pattern they are a token."""
    return f"{value} '{WORDS}'"


def replaced(value: Any, place: int, instead: Callable[[Any], str]) -> tuple[Any, int]:
    """The document with the words at one place, and how many places are still to pass."""
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for name, each in value.items():
            called = WORDS if place == 0 else name
            made[called], place = replaced(each, place - 1, instead)
        if place == 0:
            made[WORDS] = {"a": "b"}
        return made, place - 1
    if isinstance(value, list):
        listed = []
        for each in value:
            changed, place = replaced(each, place, instead)
            listed.append(changed)
        return listed, place
    return (instead(value) if place == 0 else value), place - 1


def variants(data: bytes) -> Iterator[bytes]:
    """The document with the words at every place, one after another."""
    text = data.decode()
    if text.lstrip().startswith("<"):
        for found in re.finditer(r'"[^"<>]*"|>[^<>\s][^<>]*<', text):
            yield f"{text[: found.start() + 1]}{WORDS}{text[found.end() - 1 :]}".encode()
        for found in re.finditer(r"</?([\w:]+)", text):
            yield text.replace(found[1], "Canary").encode()
    elif text.lstrip()[:1] in "{[":
        document = json.loads(text)
        for place in range(places(document)):
            yield json.dumps(replaced(document, place, lambda _: WORDS)[0]).encode()
            yield json.dumps(replaced(document, place, behind)[0]).encode()
    else:
        delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        for r, row in enumerate(rows[:4]):
            for c in range(len(row) + 1):
                cells = [*row[:c], WORDS, *row[c + 1 :]]
                out = io.StringIO()
                csv.writer(out, delimiter=delimiter).writerows([*rows[:r], cells, *rows[r + 1 :]])
                yield out.getvalue().encode()
                wider = [[*each, cells[c] if n == r else "1"] for n, each in enumerate(rows)]
                out = io.StringIO()
                csv.writer(out, delimiter=delimiter).writerows(wider)
                yield out.getvalue().encode()


def told(format_: Format, data: bytes) -> str:
    """Everything that is told of a document beside what its bulletins say."""
    try:
        result = translate(format_, data, CONTEXT)
    except FormatError as exc:
        return str(exc)
    except TocsinError as exc:
        return f"{type(exc).__name__}: {exc}"
    parts = [f"{loss.path}: {loss.why}" for loss in result.losses]
    parts += [encode(origin).decode() for draft in result.drafts for origin in draft.provenance]
    return "\n".join(parts)


@pytest.mark.parametrize(("format_", "data"), list(samples()))
def test_nothing_that_a_document_calls_something_is_told(format_: Format, data: bytes) -> None:
    """Wherever the words stand in a document, neither provenance nor losses nor a refusal repeat them."""
    leaks = {
        line
        for variant in variants(data)
        for line in told(format_, variant).splitlines()
        if SEEN.search(line)
    }
    assert not leaks


def test_every_format_has_a_sample() -> None:
    """A format without a sample would not be looked at here."""
    offered = {format_ for found in discover() if found.adapter for format_ in found.adapter.formats}
    assert offered == {param.values[0].id for param in samples()}


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0" encoding="canary"?><a/>',
        b"<a>&canary;</a>",
        b"<canary><a></canary>",
        b'<a canary="1" canary="2"/>',
        b"<?canary",
        b"<canary:a/>",
        b'<!DOCTYPE canary [<!ENTITY elmstreet "x">]><a>&elmstreet;</a>',
    ],
)
def test_no_refusal_of_xml_quotes_the_document(data: bytes) -> None:
    """Not its encoding, nor an entity, nor a name."""
    with pytest.raises(FormatError) as refused:
        safe_xml(data, max_bytes=1 << 20)
    assert not SEEN.search(str(refused.value))
