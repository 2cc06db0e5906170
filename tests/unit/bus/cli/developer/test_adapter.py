"""`tocsin adapter`: what is installed, what a format makes of files, and publishing one document without a bus."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bus.cli.main import main
from bus.demo.founding import point_to_server, prepare
from bus.demo.keyring import Folder
from bus.plugin import Format, ReadContext, ReadResult, adapter_named
from schemas.codec import decode_draft

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)

Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def tocsin(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program; gives the exit code, standard output and standard error."""

    def run(*args: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(args)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def event(tmp_path: Path) -> Path:
    """A MISP event of today as a file: what begins after it expires is refused, by the real clock."""
    today = dt.datetime.now(dt.UTC).replace(microsecond=0)
    samples = {each.name: each.data for each in adapter_named("cyber").samples("XA", today, 1)}
    path = tmp_path / "event.json"
    path.write_bytes(samples["portal.misp-1.json"])
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A file that is no MISP event."""
    path = tmp_path / "broken.json"
    path.write_text('{"Event": 1, "Event": 2}')
    return path


def rows(out: str) -> list[dict[str, Any]]:
    """NDJSON, read."""
    return [json.loads(line) for line in out.splitlines()]


def test_list_names_the_four_that_ship(tocsin: Run) -> None:
    """The JSON shape: name, formats, kinds, problem."""
    code, out, _ = tocsin("adapter", "list", "--json")
    assert code == 0
    found = {each["name"]: each for each in json.loads(out)}
    assert found["cyber"] == {
        "name": "cyber",
        "formats": ["misp-event", "stix-2-1"],
        "kinds": ["cyber-threat", "fimi"],
        "problem": "",
    }
    assert {"electoral", "digital", "data-protection"} <= set(found)


def test_convert_prints_drafts_and_losses(tocsin: Run, event: Path) -> None:
    """Each draft is one that `tocsin publish` takes; each loss has a path and a why."""
    code, out, _ = tocsin("adapter", "convert", "--from", "misp-event", str(event), "--json")
    (row,) = rows(out)
    assert code == 0
    assert row["file"] == str(event)
    assert [decode_draft(msgspec.json.encode(each)).kind for each in row["drafts"]] == ["cyber-threat"]
    assert all(set(loss) == {"path", "why"} for loss in row["losses"])


def test_convert_marks_what_its_source_does_not(tocsin: Run, event: Path) -> None:
    """As the run loop does: to the adapter's own network at AMBER+STRICT, and it is told; a mark of the source is left."""
    unmarked = event.with_name("unmarked.json")
    unmarked.write_bytes(event.read_bytes().replace(b"tlp:green", b"case:number"))
    _, out, _ = tocsin("adapter", "convert", "--from", "misp-event", str(event), str(unmarked), "--json")
    marked, plain = rows(out)
    assert [(each["tlp"], each.get("audience")) for each in marked["drafts"]] == [("green", None)]
    assert [(each["tlp"], each["audience"]) for each in plain["drafts"]] == [("amber+strict", "eu-csirts")]
    assert "tlp" in {loss["path"] for loss in plain["losses"]}


def test_convert_of_several_files_is_one_line_each(tocsin: Run, event: Path, broken: Path) -> None:
    """Partly refused is exit 8; the refusal stands in its file's line with its reason."""
    code, out, _ = tocsin("adapter", "convert", "--from", "misp-event", str(event), str(broken), "--json")
    good, bad = rows(out)
    assert code == 8
    assert good["drafts"]
    assert bad["refused"]["reason"] == "duplicate-member"


REFUSED = {
    "not what it should be": (
        ["adapter", "convert", "--from", "misp-event", "{broken}"],
        5,
        "duplicate-member",
    ),
    "a file that is not there": (
        ["adapter", "convert", "--from", "misp-event", "/nowhere/x"],
        5,
        "unreadable",
    ),
    "a folder": (["adapter", "convert", "--from", "misp-event", "/"], 5, "unreadable"),
    "a format nearly right": (
        ["adapter", "convert", "--from", "misp-evnt", "{broken}"],
        2,
        "did you mean 'misp-event'",
    ),
    "a format unheard of": (["adapter", "convert", "--from", "qqq", "{broken}"], 2, "there are: "),
    "no file": (["adapter", "convert", "--from", "misp-event"], 2, "FILE"),
    "an adapter nearly right": (["adapter", "run", "cybr", "--stdin"], 2, "did you mean 'cyber'"),
    "no source": (["adapter", "run", "cyber"], 2, "--spool"),
    "a zone that is none": (["adapter", "run", "cyber", "--stdin", "--tz", "Vienna"], 2, "as Europe/Vienna"),
    "two sources": (["adapter", "run", "cyber", "--stdin", "--spool", "x"], 2, "--spool"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_says_so_in_a_sentence(name: str, tocsin: Run, broken: Path) -> None:
    """The exit code is the documented one, and the words help; there is no traceback."""
    args, expected, words = REFUSED[name]
    code, _, err = tocsin(*(arg.format(broken=broken) for arg in args))
    assert (code, words in err, "Traceback" in err) == (expected, True, False), err


def test_a_format_that_fails_says_where_and_with_v_all_of_it(
    tocsin: Run, event: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words, which may quote the document, only for whoever asks for them; standard output has data alone."""

    def read(data: bytes, context: ReadContext) -> ReadResult:
        raise KeyError("the attacker")

    formats = adapter_named("cyber").formats
    failing = msgspec.structs.replace(formats["misp-event"], read=read)
    monkeypatch.setitem(cast("dict[str, Format]", formats), "misp-event", failing)
    code, out, err = tocsin("adapter", "convert", str(event), "--from", "misp-event")
    assert (code, out, "KeyError at test_adapter.py:" in err) == (5, "", True)
    assert "the attacker" not in err
    code, out, err = tocsin("adapter", "convert", str(event), "--from", "misp-event", "-v")
    assert (code, out, "KeyError: 'the attacker'" in err) == (5, "", True)


def test_a_country_is_carried_into_drafts(tocsin: Run, tmp_path: Path) -> None:
    """`--country` is whose authority reads."""
    samples = {each.name: each.data for each in adapter_named("electoral").samples("XB", NOW, 1)}
    path = tmp_path / "log.json"
    path.write_bytes(samples["pollbooks-1.json"])
    _, out, _ = tocsin(
        "adapter", "convert", "--from", "nist-1500-101-json", "--country", "XB", str(path), "--json"
    )
    assert rows(out)[0]["drafts"][0]["areas"] == [{"scope": "country", "country": "XB"}]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """An authority with keys and registry, and a broker that is not there."""
    prepare(tmp_path, now=dt.datetime.now(dt.UTC))
    point_to_server(tmp_path, "nats://127.0.0.1:1")
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path))
    monkeypatch.setenv("TOCSIN_CONTEXT", "xa-csirt")
    return Folder(tmp_path)


def test_a_document_on_standard_input_is_kept_or_refused(
    tocsin: Run, authority: Folder, event: Path, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a bus a good one is queued, 75; a bad one is refused, 5, with its reason."""
    for document, expected, words in ((event, 75, "sent later"), (broken, 5, "unknown-format")):
        with document.open("rb") as raw, io.TextIOWrapper(raw) as text:
            monkeypatch.setattr("sys.stdin", text)
            code, _, err = tocsin("--timeout", "0.2", "adapter", "run", "cyber", "--stdin")
        assert (code, words in err) == (expected, True), err
