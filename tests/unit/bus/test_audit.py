"""The audit record: whatever is done to its file is found, and a crash takes nothing that was answered."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.audit import MAX_LINE_BYTES, MAX_TEXT, AuditError, Entry, append, read, set_aside, verify
from schemas.codec import digest

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
FACT = st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.lists(st.text(), max_size=40)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@functools.cache
def five() -> bytes:
    """A record of five entries, as `append` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        for number in range(5):
            append(path, "registry-signed", {"version": number, "by": "kid"}, NOW)
        return path.read_bytes()


def filled(path: Path) -> list[bytes]:
    """That record at `path`; its lines."""
    path.write_bytes(five())
    return five().splitlines()


def respelled(line: bytes, **changes: object) -> bytes:
    """An entry with other members, spelled as the record spells."""
    return json.dumps({**json.loads(line), **changes}, separators=(",", ":")).encode()


def forged(lines: list[bytes]) -> list[bytes]:
    """The same record chained anew after its second line was changed: only a head kept elsewhere shows it."""
    made = [lines[0]]
    for line in [respelled(lines[1], event="nothing"), *lines[2:]]:
        made.append(respelled(line, prev=digest(made[-1])))
    return made


# name -> (what is done to the five lines, the reason, the line that is named)
TAMPERINGS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str, int]] = {
    "first line changed": (lambda x: [respelled(x[0], event="other"), *x[1:]], "audit-prev", 1),
    "fact changed": (
        lambda x: [*x[:2], respelled(x[2], facts={"version": 9, "by": "kid"}), *x[3:]],
        "audit-prev",
        3,
    ),
    "time changed": (
        lambda x: [*x[:3], respelled(x[3], time="2020-01-01T00:00:00Z"), *x[4:]],
        "audit-prev",
        4,
    ),
    "line removed": (lambda x: [*x[:2], *x[3:]], "audit-seq", 3),
    "first line removed": (lambda x: x[1:], "audit-seq", 1),
    "removed and renumbered": (
        lambda x: [*x[:2], *(respelled(each, seq=place + 3) for place, each in enumerate(x[3:]))],
        "audit-prev",
        2,
    ),
    "two lines exchanged": (lambda x: [x[0], x[2], x[1], *x[3:]], "audit-seq", 2),
    "line repeated": (lambda x: [*x[:2], x[1], *x[2:]], "audit-seq", 3),
    "line of another record": (
        lambda x: [*x[:4], respelled(x[4], prev=digest(b"another"))],
        "audit-prev",
        4,
    ),
    "a predecessor for the first": (lambda x: [respelled(x[0], prev=digest(b"x")), *x[1:]], "audit-prev", 1),
    "not JSON": (lambda x: [*x[:1], b"not JSON", *x[2:]], "audit-line", 2),
    "last line not JSON": (lambda x: [*x[:4], b"not JSON"], "audit-line", 5),
    "empty line between": (lambda x: [*x[:3], b"", *x[3:]], "audit-line", 4),
    "another spelling of one line": (
        lambda x: [*x[:4], json.dumps(json.loads(x[4])).encode()],
        "audit-line",
        5,
    ),
    "member twice": (lambda x: [*x[:4], x[4][:-1] + b',"seq":5}'], "audit-line", 5),
    "unknown member": (lambda x: [*x[:4], respelled(x[4], more=1)], "audit-line", 5),
    "number as text": (lambda x: [*x[:4], respelled(x[4], seq="5")], "audit-line", 5),
    "fact of another type": (lambda x: [*x[:4], respelled(x[4], facts={"a": 1.5})], "audit-line", 5),
    "very deep": (lambda x: [*x[:4], b"[" * 9000], "audit-line", 5),
    "very long": (lambda x: [*x[:4], b"x" * (MAX_LINE_BYTES * 3)], "audit-line", 5),
    "not ASCII": (lambda x: [*x[:4], x[4].replace(b"kid", "kïd".encode())], "audit-line", 5),
    "torn line removed after its entry": (
        lambda x: [
            *x,
            respelled(x[4], seq=6, event="torn", prev=digest(x[4]), facts={"lines": [digest(b"y")]}),
        ],
        "audit-line",
        6,
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_found_and_its_line_named(tmp_path: Path, name: str) -> None:
    """Each tampering of the table has its reason and its line, with no head from elsewhere."""
    change, reason, number = TAMPERINGS[name]
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"\n".join(change(filled(path))) + b"\n")
    with pytest.raises(AuditError, match=rf"line {number} ") as caught:
        verify(path)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:4],
        lambda lines: [],
        lambda lines: [*lines[:4], respelled(lines[4], event="other")],
        forged,
    ],
    ids=["last line cut off", "everything cut off", "last line changed", "all chained anew"],
)
def test_a_head_that_was_written_down_shows_what_the_chain_cannot(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """These stand in themselves; the head does not find its line in them."""
    path = tmp_path / "audit.jsonl"
    lines = filled(path)
    head = verify(path).head
    assert head == digest(lines[-1])
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    verify(path)
    with pytest.raises(AuditError) as caught:
        verify(path, head=head)
    assert caught.value.reason == "audit-head"


def test_a_head_stays_good_when_the_record_grows(tmp_path: Path) -> None:
    """An older head is the digest of a line further up."""
    path = tmp_path / "audit.jsonl"
    filled(path)
    head = verify(path).head
    assert append(path, "opened", {}, NOW) == verify(path, head=head).head != head


@SHARED
@given(
    place=st.integers(0, 10_000),
    byte=st.integers(0, 255),
    how=st.sampled_from(("replace", "insert", "delete")),
)
def test_any_edit_of_any_line_is_found(tmp_path: Path, place: int, byte: int, how: str) -> None:
    """One byte changed, added or taken away anywhere: the record does not stand, or not with the head written down."""
    path = tmp_path / "audit.jsonl"
    filled(path)
    head = verify(path).head
    held = path.read_bytes()
    place %= len(held)
    changed = held[:place] + (b"" if how == "delete" else bytes((byte,))) + held[place + (how != "insert") :]
    path.write_bytes(changed)
    # Without its final newline the record says the same, and is gone on with; a byte after it is a torn line.
    if changed == held or changed == held[:-1]:
        return
    try:
        found = verify(path, head=head)
    except AuditError:
        return
    assert found.unfinished, "an edit within the lines went unnoticed"
    assert changed.startswith(held[:-1])


@SHARED
@given(order=st.permutations(range(5)), keep=st.integers(0, 5))
def test_any_other_order_or_choice_of_lines_is_found(tmp_path: Path, order: list[int], keep: int) -> None:
    """Lines moved or taken away, whichever."""
    path = tmp_path / "audit.jsonl"
    lines = filled(path)
    head = verify(path).head
    chosen = [lines[each] for each in order][:keep]
    path.write_bytes(b"".join(line + b"\n" for line in chosen))
    if chosen == lines:
        assert verify(path, head=head).entries == 5
    else:
        with pytest.raises(AuditError):
            verify(path, head=head)


@SHARED
@given(cut=st.integers(1, 500), more=st.integers(0, 500))
def test_a_line_torn_by_a_crash_is_recognised_and_gone_on_after(tmp_path: Path, cut: int, more: int) -> None:
    """However much of the last line is missing, twice over: nothing before it is lost, and the gap is on record."""
    path = tmp_path / "audit.jsonl"
    whole = [*filled(path)[:4]]
    for lost in (cut, more):
        held = path.read_bytes()
        last = held.rindex(b"\n", 0, -1) + 1
        os.truncate(path, max(last + 1, len(held) - 1 - lost))
        unfinished = verify(path)
        assert unfinished.entries >= 4
        append(path, "after", {"lost": lost}, NOW)
    found = verify(path)
    assert not found.unfinished
    assert found.torn <= 2
    entries = list(read(path))
    assert [each.seq for each in entries] == list(range(1, len(entries) + 1))
    assert path.read_bytes().startswith(b"\n".join(whole) + b"\n")
    assert entries[-1].event == "after"
    assert sum(each.event == "torn" for each in entries) == found.torn


def test_nothing_is_added_after_a_last_line_that_was_changed(tmp_path: Path) -> None:
    """A whole line that is no entry is no crash; to go on after it would explain it away."""
    path = tmp_path / "audit.jsonl"
    lines = filled(path)
    path.write_bytes(b"\n".join([*lines[:4], b"gone"]) + b"\n")
    with pytest.raises(AuditError, match="keep the file aside"):
        append(path, "after", {}, NOW)
    assert path.read_bytes().endswith(b"gone\n")


@SHARED
@given(facts=st.dictionaries(st.text(max_size=20), FACT, max_size=4))
def test_any_fact_is_one_line_of_ascii(
    tmp_path: Path, facts: dict[str, str | int | bool | list[str]]
) -> None:
    """Line ends, controls, other scripts, long texts: one bounded line that reads back and steers no terminal."""
    path = tmp_path / "audit.jsonl"
    path.unlink(missing_ok=True)
    append(path, "opened", facts, NOW)
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert len(raw) <= MAX_LINE_BYTES + 1
    assert all(0x20 <= byte < 0x7F for byte in raw[:-1])
    (entry,) = read(path)
    for name, fact in facts.items():
        if isinstance(fact, str) and len(fact) * 12 < MAX_TEXT:
            assert entry.facts[name] == fact.encode("utf-8", "backslashreplace").decode()


def test_a_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    """A file's name may hold any bytes."""
    path = tmp_path / "audit.jsonl"
    append(path, "key-made", {"file": os.fsdecode(b"key\xff\x1b[2J\x7f.pem")}, NOW)
    (entry,) = read(path)
    assert entry == Entry(
        seq=1,
        time="2027-05-23T18:00:00Z",
        event="key-made",
        facts={"file": "key\\udcff\x1b[2J\x7f.pem"},
        prev=None,
    )
    assert b"\x1b" not in path.read_bytes()


def test_the_file_is_the_owners_and_no_link_is_followed(tmp_path: Path) -> None:
    """Mode 0600; a symbolic link in its place is refused."""
    path = tmp_path / "audit.jsonl"
    append(path, "opened", {}, NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        append(tmp_path / "link.jsonl", "opened", {}, NOW)


def test_a_record_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    """What was taken away is said to be missing."""
    with pytest.raises(AuditError) as caught:
        verify(tmp_path / "audit.jsonl")
    assert caught.value.reason == "audit-missing"


WRITER = """
import datetime as dt, sys
from pathlib import Path
from bus.audit import append
for number in range(int(sys.argv[3])):
    print(append(Path(sys.argv[1]), "written", {"by": sys.argv[2], "number": number}, dt.datetime.now(dt.UTC)), flush=True)
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """Another process that appends and says each head that it was answered."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_several_processes_append_to_one_record(tmp_path: Path) -> None:
    """No entry is lost and the chain stands."""
    path = tmp_path / "audit.jsonl"
    heads: list[str] = []
    for each in [writer(path, name, 25) for name in "abc"]:
        heads += each.communicate()[0].split()
        assert each.returncode == 0
    assert verify(path).entries == 75
    assert len(set(heads)) == 75
    for name in "abc":
        assert [e.facts["number"] for e in read(path) if e.facts["by"] == name] == list(range(25))


def test_kill_9_takes_nothing_that_was_answered(tmp_path: Path) -> None:
    """Writers killed at any moment: every head they were answered is a line of the record that goes on."""
    path = tmp_path / "audit.jsonl"
    answered: list[str] = []
    for round_ in range(4):
        process = writer(path, str(round_), 100_000)
        assert process.stdout is not None
        answered += [process.stdout.readline().strip() for _ in range(3 + round_ * 7)]
        process.send_signal(signal.SIGKILL)
        answered += [line for line in process.stdout.read().split() if len(line) == 43]
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
    append(path, "after", {}, NOW)
    for head in answered:
        verify(path, head=head)


def test_a_record_that_is_set_aside_goes_on_in_a_new_one(tmp_path: Path) -> None:
    """The old one is whole under its new name; the new one begins with its head, and a writer goes on there."""
    path, old = tmp_path / "audit.jsonl", tmp_path / "2027.jsonl"
    filled(path)
    before = verify(path)
    assert set_aside(path, old, NOW) == before
    append(path, "signed", {}, NOW)
    assert verify(old, head=before.head) == before
    first, second = read(path)
    assert (first.event, first.facts["head"], first.facts["entries"], second.event) == (
        "continued",
        before.head,
        before.entries,
        "signed",
    )
    with pytest.raises(FileExistsError):
        set_aside(path, old, NOW)


def test_writers_lose_nothing_while_a_record_is_set_aside(tmp_path: Path) -> None:
    """Four of them, and a record that is set aside five times: every entry is in one of the files, each of which stands."""
    path = tmp_path / "audit.jsonl"
    append(path, "begun", {}, NOW)

    def write(name: int) -> None:
        for number in range(50):
            append(path, "signed", {"by": f"{name}.{number}"}, NOW)

    with ThreadPoolExecutor(5) as pool:
        writing = [pool.submit(write, name) for name in range(4)]
        for number in range(5):
            set_aside(path, tmp_path / f"{number}.jsonl", NOW)
        for each in writing:
            each.result()
    files = [path, *(tmp_path / f"{number}.jsonl" for number in range(5))]
    said = [entry.facts["by"] for file in files for entry in read(file) if entry.event == "signed"]
    assert sorted(map(str, said)) == sorted(f"{name}.{number}" for name in range(4) for number in range(50))


def test_a_broken_record_is_not_set_aside(tmp_path: Path) -> None:
    """It is evidence where it lies; nor is one that is not there made."""
    path = tmp_path / "audit.jsonl"
    with pytest.raises(AuditError):
        set_aside(path, tmp_path / "old.jsonl", NOW)
    assert not path.exists()
    lines = filled(path)
    path.write_bytes(b"\n".join(lines[1:]) + b"\n")
    with pytest.raises(AuditError):
        set_aside(path, tmp_path / "old.jsonl", NOW)
    assert not (tmp_path / "old.jsonl").exists()
