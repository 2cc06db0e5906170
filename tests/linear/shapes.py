"""Hostile shapes: documents of about so many bytes, each bad for another way of reading. Every one is made of its size alone."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterator, Mapping

Shape = Callable[[int], bytes]

_LETTERS = string.ascii_letters + string.digits


def words(count: int) -> Iterator[str]:
    """So many different words of four characters."""
    return ("".join(letters) for letters in itertools.islice(itertools.product(_LETTERS, repeat=4), count))


def filled(before: bytes, unit: bytes, after: bytes = b"") -> Shape:
    """A unit, again and again, between two ends."""

    def make(size: int) -> bytes:
        return before + unit * max(1, (size - len(before) - len(after)) // len(unit)) + after

    return make


def listed(before: bytes, unit: Callable[[int, str], bytes], after: bytes = b"", sep: bytes = b",") -> Shape:
    """Units that differ, each made of its number and a word of its own, between two ends."""

    def make(size: int) -> bytes:
        each = len(unit(0, "aaaa")) + len(sep) + 2
        count = max(1, (size - len(before) - len(after)) // each)
        return before + sep.join(unit(n, word) for n, word in enumerate(words(count))) + after

    return make


def doubled(before: bytes = b"{", after: bytes = b"}") -> Shape:
    """Different members, of which the last stands twice: who counts each name reads the list again for each."""

    def make(size: int) -> bytes:
        names = [*words(max(2, (size - len(before) - len(after)) // 9))]
        members = ",".join(f'"{name}":1' for name in (*names, names[-1]))
        return before + members.encode() + after

    return make


def within(shape: Shape, before: bytes, after: bytes) -> Shape:
    """A shape as a part of a document."""
    return lambda size: before + shape(max(16, size - len(before) - len(after))) + after


def json_shapes(before: bytes = b"{", after: bytes = b"}") -> Mapping[str, Shape]:
    """What a reader of JSON meets, as members of an object between two ends."""
    text = before + b'"text":"'
    return {
        "a name twice": doubled(before, after),
        "different names": listed(before, lambda _, word: f'"{word}":1'.encode(), after),
        "one name": filled(before, b'"a":1,', b'"a":1' + after),
        "escaped names": listed(before, lambda _, w: f'"\\u00{ord(w[0]):02x}{w[1:]}":1'.encode(), after),
        "deep lists": lambda n: before + b'"a":' + b"[" * (n // 2) + b"]" * (n // 2) + after,
        "deep objects": lambda n: before + b'"a":' + b'{"a":' * (n // 6) + b"1" + b"}" * (n // 6) + after,
        "many small lists": filled(before + b'"a":[', b"[[],[[]]],", b"[]]" + after),
        "a long string": filled(text, b"a", b'"' + after),
        "escapes": filled(text, b"\\n", b'"' + after),
        "halves of characters": filled(text, b"\\ud83d\\ude00", b'"' + after),
        "a lone half at the end": filled(text, b"\\ud83d\\ude00", b'\\ud83d"' + after),
        "backslashes": filled(text, b"\\\\", b'"' + after),
        "quotes": filled(text, b'\\"', b'"' + after),
        "accents": filled(text + b"a", "\u0301\u0316".encode(), b'"' + after),
        "digits": filled(before + b'"a":', b"7", after),
        "a fraction": filled(before + b'"a":0.', b"7", after),
        "spaces": filled(before, b" ", b'"a":1' + after),
        "no end": filled(text, b"a"),
        "times": filled(before + b'"issued":[', b'"2027-05-23T18:00:00Z",', b'"x"]' + after),
        "near times": filled(before + b'"issued":"', b"2", b'"' + after),
        "marks of the decoder": filled(before + b'"', b" - at `", b'":1' + after),
    }


def text_shapes() -> Mapping[str, Shape]:
    """What a pattern meets: runs that it could share out in many ways, and near misses."""
    return {
        "letters": filled(b"", b"a"),
        "spaces": filled(b"x", b" ", b"x"),
        "marking with spaces": filled(b"tlp", b" ", b'""x'),
        "markings": filled(b"", b"tlp ", b'"x"y'),
        "addresses without an end": filled(b"", b"a@"),
        "one at at the end": filled(b"", b"a", b"@"),
        "labels of a host": filled(b"", b"a.", b"!"),
        "hyphens": filled(b"", b"-", b"!"),
        "accents": filled(b"a", "\u0301\u0316".encode()),
        "ligatures": filled(b"", "\ufdfa".encode()),
        "brackets": filled(b"", b"[.]", b"!"),
        "open brackets": filled(b"", b"["),
        "slashes": filled(b"", b"/users/", b"x"),
        "quotes": filled(b"", b"'"),
        "backslashes": filled(b"'", b"\\\\"),
        "digits": filled(b"", b"7", b"x"),
        "signs": filled(b"", b"+1.", b"x"),
        "hidden characters": filled(b"", "\u202e\u200b".encode()),
        "colons": filled(b"", b"::", b"x"),
        "equal signs": filled(b"a:", b'="', b"x"),
        "base64": filled(b"", b"QUJD"),
        "dots": filled(b"", b"."),
        "numbers with dots": filled(b"", b"1."),
        "comments": filled(b"", b"/*"),
        "words and dashes": filled(b"", b"a - ", b"x"),
    }


def xml_shapes(before: bytes = b"<a>", after: bytes = b"</a>") -> Mapping[str, Shape]:
    """What a reader of XML meets inside an element."""
    return {
        "empty elements": filled(before, b"<b/>", after),
        "different elements": listed(before, lambda _, word: f"<{word}/>".encode(), after, b""),
        "deep": lambda n: before + b"<b>" * (n // 7) + b"</b>" * (n // 7) + after,
        "different attributes": lambda n: before + listed(b"<b ", lambda _, w: f'{w}=""'.encode(), b"/>", b" ")(n) + after,
        "a long attribute": filled(before + b'<b c="', b"a", b'"/>' + after),
        "a long text": filled(before, b"a", after),
        "references": filled(before, b"&#65;", after),
        "a long namespace": lambda n: before
        + b'<b xmlns="' + b"u" * (n // 2) + b'">' + listed(b"", lambda _, w: f"<{w}/>".encode(), b"", b"")(n // 2) + b"</b>" + after,
        "namespaces": listed(before, lambda _, w: f'<b xmlns="{w}"/>'.encode(), after, b""),
        "nested namespaces": lambda n: before + b'<b xmlns:c="d">' * (n // 20) + b"</b>" * (n // 20) + after,
        "comments": filled(before, b"<!---->", after),
        "a long comment": filled(before + b"<!--", b"-a", b"-->" + after),
        "sections": filled(before, b"<![CDATA[]]>", after),
        "no end": filled(before, b"<b"),
        "instructions": filled(before, b"<?a?>", after),
    }  # fmt: skip


def csv_shapes(header: bytes, width: int) -> Mapping[str, Shape]:
    """What a reader of tables meets below a header."""
    return {
        "short rows": filled(header, b"a\n"),
        "rows": filled(header, b",".join([b"a"] * width) + b"\n"),
        "different rows": listed(header, lambda _, word: b",".join([word.encode()] * width), b"\n", b"\n"),
        "one wide row": filled(header, b"a,"),
        "a long cell": filled(header, b"a"),
        "quotes": filled(header, b'""'),
        "a quoted cell": filled(header + b'"', b'""'),
        "empty lines": filled(header, b"\n"),
        "a wide header": listed(b"", lambda _, word: word.encode(), b"\n"),
    }
