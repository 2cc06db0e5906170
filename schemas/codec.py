"""The one encoder and decoder, with the gate that checks foreign bytes before they are typed.

The gate (I-JSON, RFC 7493): a UTF-8 object that begins with `{` and ends with `}`; no duplicate names, however
they are escaped; no fractions, no NaN or Infinity; integers within 2^53-1; no lone surrogates; bounded depth and
size; wire times exactly `YYYY-MM-DDTHH:MM:SS[.1-6 digits]Z`. msgspec alone keeps the last of duplicate members
and accepts looser times, so the gate reads every member once with the standard library's parser. Bytes that equal
what `encode` writes for their value skip the gate.
"""

from __future__ import annotations

import binascii
import datetime as dt
import hashlib
import json
import re
import threading
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from schemas.bulletin import Bulletin, Draft
from schemas.errors import SchemaError
from schemas.scalars import MAX_INTEGER
from schemas.sections import SectionContent

WIRE = 4
"""The version number of the wire. It rises once for a change in what is signed or how it is read, also for an added kind or field.

It stands beside the encoder because it numbers the encoder's bytes. Every store and outbox carries it
(`bus.storage.layout`); subjects do not.
"""
WIRES_READ = frozenset({2, 3, WIRE})
"""The wires that this release reads: fields added with 3 and 4 may be missing, and older fields keep their meaning."""
MAX_PAYLOAD_BYTES = 262_144
MAX_SEALED_INNER_BYTES = 65_536
MAX_DEPTH = 32
MAX_QUOTED = 80  # characters of a foreign text that an error quotes
MAX_SAID = 300  # characters of the decoder's message and path
_MAX_DIGITS = len(str(MAX_INTEGER)) + 1  # and a sign

_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_OFFSET = re.compile(rb':\d\d"')  # the end of a time that does not end in Z
_OFFSET_CHARS = -len("+00:00")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_WHERE = " - at `"  # the path in msgspec's messages

URL_SAFE = bytes.maketrans(b"+/", b"-_")
"""Translates base64 to base64url."""

_T = TypeVar("_T")


def encode(value: msgspec.Struct) -> bytes:
    """Encode a struct: UTF-8 JSON, members in the order of the struct, defaults left out."""
    return msgspec.json.encode(value)


def decode(raw: bytes) -> Bulletin:
    """Decode the bulletin in `raw`, gated and typed; its rules are not checked.

    Raises:
        SchemaError: `empty`, `too-large`, `malformed-payload`, `duplicate-member` or `schema`.
    """
    return decode_as(Bulletin, raw)


def decode_draft(raw: bytes) -> Draft:
    """Decode the draft in `raw`; as strict as `decode`."""
    return decode_as(Draft, raw)


def decode_as(type_: type[_T], raw: bytes, *, max_bytes: int = MAX_PAYLOAD_BYTES) -> _T:
    """Decode a value of any struct type; as strict as `decode`."""
    if len(raw) <= max_bytes and (found := _as_we_write(type_, raw)) is not None:
        return found
    gate(raw, max_bytes=max_bytes)
    return _typed(_decoder(type_), raw)


def as_written(raw: bytes) -> Bulletin | None:
    """The bulletin in `raw`, if `raw` equals what `encode` writes for it; else None, which does not mean that `raw` is malformed."""
    return _as_we_write(Bulletin, raw) if len(raw) <= MAX_PAYLOAD_BYTES else None


def _as_we_write(type_: type[_T], raw: bytes) -> _T | None:
    """The value in `raw`, if `raw` equals what `encode` writes for it; else None.

    Such bytes need no gate: the encoder writes no name twice, no fraction and no half character, and the types bound
    every integer and the depth (tests assert this for every type of the wire). The gate refuses only one thing that
    the encoder writes, a time with an offset. So bytes that seem to hold one take the long way.
    """
    if _OFFSET.search(raw):
        return None
    try:
        value = _decoder(type_).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if msgspec.json.encode(value) == raw else None


def digest(raw: bytes) -> str:
    """SHA-256 of `raw` in unpadded base64url (43 characters): a bulletin's identity."""
    return digest_text(hashlib.sha256(raw).digest())


def digest_text(hashed: bytes) -> str:
    """The digest form of a SHA-256 of 32 bytes."""
    return binascii.b2a_base64(hashed, newline=False).translate(URL_SAFE)[:-1].decode("ascii")


def encode_time(moment: dt.datetime) -> str:
    """Write a time in wire form.

    Raises:
        SchemaError: the time is naive.
    """
    if moment.tzinfo is None:
        raise SchemaError("a time without zone is not allowed on the wire; add the zone")
    if moment.tzinfo is dt.UTC:
        return f"{moment.isoformat()[:_OFFSET_CHARS]}Z"
    text = moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def parse_time(text: str) -> dt.datetime:
    """Parse a wire time into an aware time.

    Raises:
        SchemaError: anything but `YYYY-MM-DDTHH:MM:SS[.1-6 digits]Z`.
    """
    if not _TIME.fullmatch(text):
        raise SchemaError(f"{_shown(text)} is not a time of the form 2027-05-23T18:00:00Z")
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise SchemaError(f"there is no such time as {text}") from None


# -- the gate -------------------------------------------------------------------------------------------------


def gate(raw: bytes, *, max_bytes: int = MAX_PAYLOAD_BYTES) -> None:
    """Refuse bytes that are not a bounded I-JSON object.

    Args:
        raw: the received bytes.
        max_bytes: the bound.

    Raises:
        SchemaError: `empty`, `too-large`, `malformed-payload` or `duplicate-member`.
    """
    if not raw:
        raise SchemaError("there is nothing here", reason="empty")
    if len(raw) > max_bytes:
        raise SchemaError(f"{len(raw)} bytes; at most {max_bytes} are allowed", reason="too-large")
    if raw[:1] != b"{" or raw[-1:] != b"}":
        raise _malformed("a JSON object must begin with { and end with }, with nothing around it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _malformed(f"not UTF-8 at byte {exc.start}") from None
    try:
        value = _PARSER.decode(text)
    except (ValueError, RecursionError) as exc:
        raise _malformed(f"not JSON: {exc}") from None
    _bound_depth(value)
    if _HALF.search(text):
        _refuse_lone_surrogates(value)


def _malformed(text: str) -> SchemaError:
    return SchemaError(text, reason="malformed-payload")


def _bound_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)  # type: ignore[attr-defined]
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise _malformed(f"nested more than {MAX_DEPTH} deep")


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _malformed("an escape names half of a surrogate pair") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise SchemaError(
            f"the member {_shown(_repeated(pairs))} occurs twice in one object", reason="duplicate-member"
        )
    times = time_names()
    if not times.isdisjoint(members):
        for name in times & members.keys():
            value = members[name]
            # Some of these names hold a date in one body and a time in another; the typed decoder knows which.
            if type(value) is str and not _TIME.fullmatch(value) and not _DATE.fullmatch(value):
                raise SchemaError(f"{_shown(value)} is not a wire time", path=f"$..{name}")
    return members


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    """The first repeated name, found in one pass."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return name


def _shown(text: str) -> str:
    """The beginning of a foreign text, for an error: a log line must not be as long as a bulletin."""
    return repr(text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…")


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS or abs(value := int(text)) > MAX_INTEGER:
        raise _malformed("an integer is beyond 2^53-1")
    return value


def _fraction(text: str) -> float:
    raise _malformed(f"{text[:20]} is not an integer; fractions are not allowed on the wire")


def _constant(text: str) -> float:
    raise _malformed(f"{text} is not JSON")


_PARSER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)


# -- typed decoding -------------------------------------------------------------------------------------------


_BUILDING = threading.Lock()
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}


def _decoder(type_: type[_T]) -> msgspec.json.Decoder[_T]:
    found = _DECODERS.get(type_)
    if found is None:
        with _BUILDING:
            found = _DECODERS[type_] = msgspec.json.Decoder(type_)
    return found


# msgspec caches its plan for a struct on the struct. Two threads that build one at once, or build one and read
# another that shares a part, crash the process. So these plans are built before any thread starts.
for _type in (Bulletin, Draft, SectionContent):
    _decoder(_type)


def _typed(decoder: msgspec.json.Decoder[_T], raw: bytes) -> _T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        text, marked, path = str(exc).rpartition(_WHERE)
        text, path = (text, path.removesuffix("`")) if marked else (str(exc), "")
        # The message is from msgspec, but may quote a name or a value of the document.
        text, path = (part if len(part) <= MAX_SAID else part[:MAX_SAID] + "…" for part in (text, path))
        raise SchemaError(f"{text} at {path}" if path else text, path=path) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _malformed(f"not JSON: {exc}") from None


@cache
def time_names() -> frozenset[str]:
    """The member names that hold wire times in any struct of the wire, found in the types."""
    found: set[str] = set()
    for type_ in wire_types():
        for field in msgspec.structs.fields(type_):
            if _mentions_time(field.type):
                found.add(field.encode_name)
    return frozenset(found)


def _mentions_time(annotation: object) -> bool:
    if annotation is dt.datetime:
        return True
    return any(_mentions_time(part) for part in get_args(annotation))


@cache
def wire_types() -> tuple[type[msgspec.Struct], ...]:
    """Every struct type that can stand inside a bulletin, a registry or a beacon."""
    from schemas.registry import Beacon, Registry  # this codec also decodes the registry document

    found: dict[type[msgspec.Struct], None] = {}
    waiting: list[object] = [Bulletin, Draft, SectionContent, Registry, Beacon]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            if each not in found:
                found[each] = None
                waiting.extend(get_type_hints(each).values())
        else:
            waiting.extend(get_args(each))
    return tuple(found)
