"""A bundle: one file that carries registry and bulletins over an air gap. Its form and bounds; nothing is verified here.

JSON Lines (SPEC section 15). The first line is the header. Registry versions, revocation statements, beacons and
bulletins follow in this order, each as it was on the bus. The last line counts the others and has their digest, so that
a cut or damaged file is noticed before anything is taken in. The digest is not a signature: each line's content is
verified by itself. A bundle has no file names, so none can point to another path.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, BinaryIO, Literal

import msgspec
from msgspec import Meta

from bus.errors import BusError
from schemas.codec import MAX_PAYLOAD_BYTES, decode_as
from schemas.envelope import MAX_HEADER_BYTES, b64u, unb64u
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import MAX_BEACON_BYTES, MAX_REGISTRY_BYTES, MAX_REVOKE_BYTES, DomainName
from schemas.scalars import MAX_INTEGER, AudienceName, Digest, OrgId, Part, Time
from schemas.subject import Trust

SPEC: Literal["tocsin-bundle/1"] = "tocsin-bundle/1"
MAX_BUNDLE_BYTES = 1 << 30
MAX_LINE_BYTES = 24 << 20
MAX_LINES = 1_000_000
MAX_SUBJECT_BYTES = 4096  # for a refused bulletin it may be anything that a broker takes
_BASE64 = 4 / 3
_END_BYTES = 256


class BundleError(BusError):
    """A file is not a bundle, or was changed since it was written."""

    reason = "malformed-bundle"


class Opening(Part, frozen=True, kw_only=True, tag_field="type", tag=SPEC):
    """The first line: the domain, the maker, the time, and the recipient."""

    domain: DomainName
    by: OrgId
    made: Time
    to: AudienceName | None = None


class Version(Part, frozen=True, kw_only=True, tag_field="type", tag=str(Trust.REGISTRY)):
    """A version of the registry: its signed file, byte for byte."""

    file: Annotated[str, Meta(max_length=MAX_REGISTRY_BYTES * 2)]


class Statement(Part, frozen=True, kw_only=True, tag_field="type", tag=str(Trust.REVOKE)):
    """A revocation statement."""

    file: Annotated[str, Meta(max_length=MAX_REVOKE_BYTES * 8)]


class Current(Part, frozen=True, kw_only=True, tag_field="type", tag=str(Trust.BEACON)):
    """A beacon."""

    file: Annotated[str, Meta(max_length=MAX_BEACON_BYTES * 2)]


class Carried(Part, frozen=True, kw_only=True, tag_field="type", tag="bulletin"):
    """A bulletin as on the bus: subject, signature header, and the exact payload in base64url."""

    subject: Annotated[str, Meta(max_length=MAX_SUBJECT_BYTES)]
    sig: Annotated[str, Meta(max_length=MAX_HEADER_BYTES)]
    payload: Annotated[str, Meta(max_length=int(MAX_PAYLOAD_BYTES * _BASE64) + 3)]

    def payload_bytes(self) -> bytes:
        """The payload.

        Raises:
            BundleError: `malformed-bundle`.
        """
        try:
            return unb64u(self.payload)
        except EnvelopeError as exc:
            raise BundleError(f"the payload of a bulletin is {exc}") from None


class End(Part, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last line: the number of lines before it, and their digest."""

    lines: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    digest: Digest


Content = Version | Statement | Current | Carried
Line = Opening | Content | End
_ORDER = (Opening, Version, Statement, Current, Carried, End)
_TRUST: Mapping[Trust, type[Version | Statement | Current]] = {
    Trust.REGISTRY: Version,
    Trust.REVOKE: Statement,
    Trust.BEACON: Current,
}


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A complete bundle: its header, its counts and its digest."""

    opening: Opening
    versions: int
    statements: int
    beacons: int
    bulletins: int
    digest: str


def trust_line(kind: Trust, raw: bytes) -> Version | Statement | Current:
    """The line with a signed trust file; these files are ASCII."""
    return _TRUST[kind](file=raw.decode("ascii"))


def write(out: BinaryIO, opening: Opening, lines: Iterable[Content]) -> int:
    """Write a whole bundle. Returns the number of its bulletins.

    Raises:
        BundleError: `too-large`; choose fewer bulletins.
        OSError: the disk fails.
    """
    running, count, size, bulletins = hashlib.sha256(), 0, 0, 0
    for line in chain((opening,), lines):
        raw = msgspec.json.encode(line) + b"\n"
        count, size = count + 1, size + len(raw)
        if count >= MAX_LINES or size > MAX_BUNDLE_BYTES - _END_BYTES:
            raise BundleError(
                f"more than {MAX_LINES} lines or {MAX_BUNDLE_BYTES} bytes",
                remedy="narrow it: --since, --topic, --channel",
                reason="too-large",
            )
        bulletins += isinstance(line, Carried)
        running.update(raw)
        out.write(raw)
    out.write(msgspec.json.encode(End(lines=count, digest=b64u(running.digest()))) + b"\n")
    return bulletins


def read(file: BinaryIO) -> Iterator[Line]:
    """Every line in order. Faults of the whole file show only at its end, so call `check` first.

    Raises:
        BundleError: `malformed-bundle`, `too-large`, `empty`, `bundle-truncated` or `bundle-damaged`.
    """
    running, count, size, rank = hashlib.sha256(), 0, 0, -1
    while raw := file.readline(MAX_LINE_BYTES + 1):
        size += len(raw)
        if len(raw) > MAX_LINE_BYTES or size > MAX_BUNDLE_BYTES or count >= MAX_LINES:
            raise BundleError(f"line {count + 1}: beyond the bounds of a bundle", reason="too-large")
        if not raw.endswith(b"\n"):
            raise _broken("the file ends in the middle of a line", "bundle-truncated")
        line = _line(raw, count + 1)
        place = _ORDER.index(type(line))
        if place < rank or (count == 0) != (place == 0):
            raise BundleError(f"line {count + 1}: type {_tag(line)} has no place here")
        rank = place
        if isinstance(line, End):
            if (line.lines, line.digest) != (count, b64u(running.digest())):
                raise _broken("the file has changed since it was written", "bundle-damaged")
            if file.read(1):
                raise BundleError("the file has bytes after the end of the bundle")
            yield line
            return
        count += 1
        running.update(raw)
        yield line
    if not count:
        raise BundleError("the file is empty", reason="empty")
    raise _broken("the end of the bundle is missing", "bundle-truncated")


def _broken(what: str, reason: str) -> BundleError:
    return BundleError(what, remedy="copy it again", reason=reason)


def check(file: BinaryIO) -> Summary:
    """Read a bundle through, and leave the file at its beginning.

    Raises:
        BundleError: as `read`.
    """
    file.seek(0)
    counts: Counter[type] = Counter()
    opening: Line | None = None
    last: Line | None = None
    for last in read(file):
        counts[type(last)] += 1
        opening = opening or last
    file.seek(0)
    if not isinstance(opening, Opening) or not isinstance(last, End):  # `read` has checked both
        raise BundleError("the bundle has no beginning and no end")
    return Summary(
        opening=opening,
        versions=counts[Version],
        statements=counts[Statement],
        beacons=counts[Current],
        bulletins=counts[Carried],
        digest=last.digest,
    )


def _tag(line: Line) -> str:
    """The type tag of a line."""
    return str(type(line).__struct_config__.tag)


def _line(raw: bytes, number: int) -> Line:
    try:
        return decode_as(Line, raw.removesuffix(b"\n"), max_bytes=MAX_LINE_BYTES)  # type: ignore[arg-type]  # a union of structs
    except SchemaError as exc:
        what = "the file is not a bundle of version 1" if number == 1 else f"line {number}"
        raise BundleError(f"{what}: {exc}") from None
