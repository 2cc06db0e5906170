"""The file of a bundle: whole and in order, or refused before anything of it is used."""

from __future__ import annotations

import io
from typing import BinaryIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.bundle import file
from bus.bundle.file import BundleError, Carried, End, Opening, Version, check, read, trust_line, write
from schemas.codec import digest
from schemas.envelope import b64u
from schemas.subject import Trust
from tests.support.world import NOW, chain, shared_world

WORLD = shared_world()
OPENING = Opening(domain="test", by="xa-hub", made=NOW, to="xb-hub")
LINES = [
    trust_line(Trust.REGISTRY, WORLD.raw),
    *(
        Carried(subject=each.subject, sig=dict(each.headers)["Tocsin-Sig"], payload=b64u(each.payload))
        for each in chain(WORLD, 3)
    ),
]


def written(opening: Opening = OPENING) -> bytes:
    """A bundle of a version and three bulletins."""
    out = io.BytesIO()
    assert write(out, opening, LINES) == 3
    return out.getvalue()


GOOD = written()
PARTS = GOOD.splitlines(keepends=True)


def sealed(*lines: bytes) -> bytes:
    """Lines with a matching end, as a person makes who edits a bundle on purpose."""
    out = b"".join(lines)
    end = End(lines=len(lines), digest=digest(out))
    return out + msgspec.json.encode(end) + b"\n"


def changed(place: int, old: bytes, new: bytes) -> bytes:
    """A bundle with one line edited, and an end that fits."""
    lines = PARTS[:-1]
    assert old in lines[place]
    lines[place] = lines[place].replace(old, new, 1)
    return sealed(*lines)


FIRST, VERSION, ONE, TWO, THREE, END = PARTS
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "no end": (b"".join(PARTS[:-1]), "bundle-truncated"),
    "cut in a line": (GOOD[:-100], "bundle-truncated"),
    "cut by its last byte": (GOOD[:-1], "bundle-truncated"),
    "only its first line": (FIRST, "bundle-truncated"),
    "a line lost": (FIRST + VERSION + ONE + THREE + END, "bundle-damaged"),
    "a line twice": (FIRST + VERSION + ONE + ONE + TWO + THREE + END, "bundle-damaged"),
    "lines exchanged": (FIRST + VERSION + TWO + ONE + THREE + END, "bundle-damaged"),
    "a bit turned": (GOOD.replace(b'"sig":"ey', b'"sig":"fy', 1), "bundle-damaged"),
    "the end of another": (FIRST + VERSION + ONE + TWO + END, "bundle-damaged"),
    "something after its end": (GOOD + b"\n", "malformed-bundle"),
    "two in one": (GOOD + GOOD, "malformed-bundle"),
    "no first line": (sealed(VERSION, ONE), "malformed-bundle"),
    "the first line twice": (sealed(FIRST, FIRST, VERSION), "malformed-bundle"),
    "the registry last": (sealed(FIRST, ONE, VERSION), "malformed-bundle"),
    "another version": (changed(0, b"tocsin-bundle/1", b"tocsin-bundle/2"), "malformed-bundle"),
    "a member too many": (changed(2, b'{"type"', b'{"path":"../../etc","type"'), "malformed-bundle"),
    "a member twice": (changed(2, b'{"type"', b'{"subject":"x","type"'), "malformed-bundle"),
    "a type that is none": (changed(2, b'"bulletin"', b'"file"'), "malformed-bundle"),
    "a payload that is a number": (changed(2, b'"payload":"', b'"payload":1,"x":"'), "malformed-bundle"),
    "carriage returns": (GOOD.replace(b"\n", b"\r\n"), "malformed-bundle"),
    "a zip": (b"PK\x03\x04" + GOOD + b"\n", "malformed-bundle"),
    "no text": (b"\xff\xfe\n", "malformed-bundle"),
    "an empty line": (sealed(FIRST, b"\n"), "malformed-bundle"),
    "a domain that is none": (changed(0, b'"test"', b'"../test"'), "malformed-bundle"),
    "a payload beyond its bound": (
        sealed(FIRST, msgspec.json.encode(Carried(subject="x", sig="x", payload="A" * 400_000)) + b"\n"),
        "malformed-bundle",
    ),
}


@pytest.mark.parametrize(("raw", "reason"), BAD.values(), ids=BAD)
def test_what_is_not_whole_is_refused(raw: bytes, reason: str) -> None:
    """By its reason, while it is checked."""
    with pytest.raises(BundleError) as refused:
        check(io.BytesIO(raw))
    assert refused.value.reason == reason


def test_bounds_are_kept_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end, too many lines, and a file too large; and the writer stops where a reader would."""
    endless: BinaryIO = io.BytesIO(b'{"' + b"a" * 2000)
    monkeypatch.setattr(file, "MAX_LINE_BYTES", 1000)
    with pytest.raises(BundleError, match="bounds"):
        check(endless)
    assert endless.tell() == 1001
    monkeypatch.undo()
    for name, most in (("MAX_LINES", 3), ("MAX_BUNDLE_BYTES", 6000)):
        monkeypatch.setattr(file, name, most)
        with pytest.raises(BundleError) as read_:
            check(io.BytesIO(GOOD))
        with pytest.raises(BundleError) as wrote:
            write(io.BytesIO(), OPENING, LINES)
        assert read_.value.reason == wrote.value.reason == "too-large"
        monkeypatch.undo()


def test_what_was_written_comes_back_to_the_byte() -> None:
    """Registry file, subject, signatures and payload; the summary counts them."""
    found = check(io.BytesIO(GOOD))
    assert (found.opening, found.versions, found.bulletins) == (OPENING, 1, 3)
    lines = list(read(io.BytesIO(GOOD)))
    assert isinstance(lines[1], Version)
    assert lines[1].file.encode() == WORLD.raw
    for line, message in zip(lines[2:5], chain_payloads(), strict=True):
        assert isinstance(line, Carried)
        assert line.payload_bytes() == message


def chain_payloads() -> list[bytes]:
    """What went in."""
    return [each.payload_bytes() for each in LINES if isinstance(each, Carried)]


@given(st.data())
def test_no_damage_goes_unseen(data: st.DataObject) -> None:
    """Bytes cut out, put in or changed anywhere: refused, or nothing of what is read has changed."""
    start = data.draw(st.integers(0, len(GOOD) - 1))
    stop = data.draw(st.integers(start, min(len(GOOD), start + 200)))
    damaged = GOOD[:start] + data.draw(st.binary(max_size=20)) + GOOD[stop:]
    try:
        found = check(io.BytesIO(damaged))
    except BundleError:
        return
    assert found == check(io.BytesIO(GOOD))  # at most a space more in the last line


def test_an_end_that_only_looks_different_is_refused_too() -> None:
    """Spaces in the last line change nothing that is read, and are no harm: the rest is still exactly what it was."""
    spaced = b"".join(PARTS[:-1]) + END.replace(b'"lines":', b'"lines": ')
    assert check(io.BytesIO(spaced)).digest == check(io.BytesIO(GOOD)).digest
