"""Strict reading of hostile documents: bounds, JSON, XML, text and tables. Pure; every format uses it.

Re-exports the names that a format needs from `bus.plugin`, so that formats depend on nothing else of the bus.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Container
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bus.plugin import Format, FormatError, Loss, ReadContext, ReadResult

__all__ = [
    "Format",
    "FormatError",
    "Loss",
    "Losses",
    "ReadContext",
    "ReadResult",
    "bound",
    "clip",
    "decode_text",
    "identifier",
    "read_csv",
    "safe_xml",
    "sha256_hex",
    "slug",
    "strict_json",
    "told",
    "version_of",
]

MAX_LOSSES = 2000
OTHER = "(other)"
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#+=-]{0,199}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.-]{0,23}")
MAX_XML_DEPTH = 64
MAX_XML_TAGS = 1_000_000
_DECLARED = re.compile(rb"""xmlns(?::[^\s=]{1,64})?\s{0,8}=\s{0,8}("[^"]{0,256}"|'[^']{0,256}')""")
_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


class Losses:
    """The losses of one document; equal losses are joined, with their count.

    Losses go into published bulletins (`provenance.lost`) and reports. So paths and reasons are words of the format,
    from a closed list: they contain no member name, no value and no id of the document (`told`).
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, path: str, why: str) -> None:
        """Record that `path` of the source is left out."""
        key = (path, why)
        if key in self._counts or len(self._counts) < MAX_LOSSES:
            self._counts[key] = self._counts.get(key, 0) + 1

    @property
    def found(self) -> tuple[Loss, ...]:
        """Every loss, in the order of first occurrence."""
        return tuple(
            Loss(path, why if count == 1 else f"{why} ({count} times)")
            for (path, why), count in self._counts.items()
        )


def bound(data: bytes, max_bytes: int) -> None:
    """Refuse an empty or too large document before it is parsed.

    Raises:
        FormatError: `empty` or `too-large`.
    """
    if not data.strip():
        raise FormatError("the document is empty", reason="empty")
    if len(data) > max_bytes:
        raise FormatError(f"{len(data)} bytes; at most {max_bytes} are read", reason="too-large")


def decode_text(data: bytes) -> str:
    """Decode text by its byte-order mark, or as UTF-8; the mark is removed.

    Raises:
        FormatError: `encoding`.
    """
    mark, encoding = next((each for each in _BOMS if data.startswith(each[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as exc:
        raise FormatError(f"not {encoding} at byte {exc.start}", reason="encoding") from None


def strict_json(data: bytes, *, max_bytes: int, max_depth: int = 64) -> object:
    """Parse JSON without duplicate members, NaN, Infinity, lone surrogates or excessive depth.

    Raises:
        FormatError: `empty`, `too-large`, `encoding`, `duplicate-member`, `malformed` or `too-deep`.
    """
    bound(data, max_bytes)
    text = decode_text(data)
    try:
        value = _JSON.decode(text.strip())
    except RecursionError:
        raise FormatError(f"nested more than {max_depth} deep", reason="too-deep") from None
    except ValueError as exc:
        raise FormatError(f"not JSON: {exc}") from None
    _bound_depth(value, max_depth)
    if _HALF.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise FormatError("an escape names half of a surrogate pair") from None
    return value


_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # The name is free text of the document and may name a person, so it is not shown.
        raise FormatError("a member occurs twice in one object", reason="duplicate-member")
    return members


def _constant(text: str) -> NoReturn:
    raise FormatError(f"{text} is not JSON")


def _integer(text: str) -> int:
    if len(text) > 40:
        raise FormatError("a number of absurd length")
    return int(text)


_JSON = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, parse_int=_integer)


def _bound_depth(value: object, max_depth: int) -> None:
    level: list[Any] = [value]
    for _ in range(max_depth + 1):
        level = [
            child
            for parent in level
            for child in (
                parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ()
            )
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise FormatError(f"nested more than {max_depth} deep", reason="too-deep")


def safe_xml(data: bytes, *, max_bytes: int) -> Element:
    """Parse XML and return the root element; document types, entities and external content are refused.

    Raises:
        FormatError: `empty`, `too-large`, `hostile-xml`, `malformed` or `too-deep`.
    """
    bound(data, max_bytes)
    # Millions of empty elements fit into few bytes, and each million takes seconds.
    if data.count(b"<") > MAX_XML_TAGS:
        raise FormatError(f"more than {MAX_XML_TAGS} tags", reason="too-large")
    _bound_namespaces(data)
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as exc:
        raise FormatError(
            f"XML with a document type or entities is refused ({type(exc).__name__})", reason="hostile-xml"
        ) from None
    except ParseError as exc:
        line, column = exc.position
        fault = expat.errors.messages.get(exc.code, "an error")  # its own message may quote the document
        raise FormatError(f"not XML: {fault} at line {line}, column {column}") from None
    except (ValueError, LookupError):
        raise FormatError("not XML: its encoding is unknown or does not match") from None
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_XML_DEPTH:
            raise FormatError(f"nested more than {MAX_XML_DEPTH} deep", reason="too-deep")
        level = [child for parent in level for child in parent]
    return root


def _bound_namespaces(data: bytes) -> None:
    """Refuse a long namespace name: the parser repeats it before the name of every element and attribute in its scope."""
    # In UTF-16 every second byte is null; all other encodings of the parser write these letters as in ASCII.
    flat = data.replace(b"\0", b"") if b"\0" in data[:4] else data
    place = flat.find(b"xmlns")
    while place >= 0:
        if _DECLARED.match(flat, place) is None:
            raise FormatError("a namespace whose name is too long or not quoted", reason="too-large")
        place = flat.find(b"xmlns", place + 5)


def read_csv(data: bytes, *, max_bytes: int, max_rows: int, delimiter: str = ",") -> list[list[str]]:
    """The rows of a table.

    Raises:
        FormatError: `empty`, `too-large`, `encoding` or `malformed`.
    """
    bound(data, max_bytes)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(decode_text(data), newline=""), delimiter=delimiter, strict=True):
            rows.append(row)
            if len(rows) > max_rows:
                raise FormatError(f"more than {max_rows} rows", reason="too-large")
    except csv.Error as exc:
        raise FormatError(f"not a table: {exc}") from None
    return rows


def clip(text: str, most: int) -> str:
    """`text` in at most `most` characters; an ellipsis marks a cut."""
    text = text.strip()
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def told(name: str, known: Container[str]) -> str:
    """A name in a form for losses: a word of the format's standard, or `(other)`.

    Names in a document are free text, for example keys that are addresses.
    """
    return name if name in known else OTHER


def identifier(text: str) -> str | None:
    """An id in a form for provenance: unchanged if it is one word, else its digest, so that equal ids stay equal.

    None for an empty id. A text with spaces or an `@` may be a name or an address in place of an id.
    """
    if not text:
        return None
    if _IDENTIFIER.fullmatch(text):
        return text
    return f"sha256:{sha256_hex(text.encode('utf-8', 'replace'))[:32]}"


def version_of(text: str) -> str | None:
    """The version of a format for provenance; None if it is malformed."""
    return text if _VERSION.fullmatch(text) else None


def slug(text: str, most: int = 64) -> str:
    """`text` as a word of an open vocabulary; `other` if nothing is left."""
    # Normalising takes time of the square of a run of combining marks, and no word needs more.
    plain = unicodedata.normalize("NFKD", text[: most * 8]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:most].strip("-") or "other"


def sha256_hex(data: bytes) -> str:
    """SHA-256 in lower-case hexadecimal, the form in provenance."""
    return hashlib.sha256(data).hexdigest()
