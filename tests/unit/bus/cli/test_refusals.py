"""Whatever a person gets wrong is answered in a sentence with the documented exit code, never as a bug."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.demo.founding import prepare
from bus.demo.keyring import Folder
from tests.support.office import TOCSIN, Desk, Office
from tests.support.places import EXAMPLES

NOW = dt.datetime.now(dt.UTC)
DRAFT = EXAMPLES / "drafts" / "cyber.json"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys, registry and contexts of a demonstration; no broker."""
    root = tmp_path_factory.mktemp("world") / "home"
    prepare(root, now=NOW)
    return root


@pytest.fixture
def office(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A copy of it to spoil."""
    shutil.copytree(world, tmp_path / "home")
    return Desk(tmp_path, monkeypatch)


def keys(office: Office) -> Path:
    """Where the CSIRT of XA has its keys."""
    return Folder(office.folder / "home").keys("xa-csirt")


def _write(name: str, data: bytes) -> Callable[[Office], object]:
    return lambda office: (office.folder / name).write_bytes(data)


def _huge(office: Office) -> None:
    (office.folder / "f").touch()
    os.truncate(office.folder / "f", 3_000_000_000)


def _state_is_a_file(office: Office) -> None:
    shutil.rmtree(office.folder / "home" / "state")
    (office.folder / "home" / "state").touch()


REGISTRY = "home/registry/registry.tocsin.json"
PUBLISH = ("--context", "xa-csirt", "publish", "--again", "--wait", "accepted")
SPOILED: dict[str, tuple[Callable[[Office], object], tuple[str, ...], int, str]] = {
    "no draft": (lambda _: None, (*PUBLISH, "none.json"), 3, "there is no file none.json"),
    "a folder for a draft": (lambda o: (o.folder / "d").mkdir(), (*PUBLISH, "d"), 2, "cannot read d"),
    "an empty draft": (_write("d", b" \n"), (*PUBLISH, "d"), 5, "d is empty"),
    "a binary draft": (_write("d", b"\x7fELF\x02\xff\xfe"), (*PUBLISH, "d"), 5, "of this file is not text"),
    "a huge draft": (_write("d", b"#" * 300_000), (*PUBLISH, "d"), 5, "larger than 262144 bytes"),
    "no JSON": (_write("d", b'{"a": 1,\n"b":}'), (*PUBLISH, "d"), 5, "d:2:"),
    "no TOML": (_write("d", b'a = 1\nb = "x\n'), (*PUBLISH, "d"), 5, "d:2:"),
    "no draft to check": (
        lambda _: None,
        ("--context", "xa-csirt", "bulletin", "check", "none.json"),
        3,
        "there is no file",
    ),
    "a huge file to verify": (
        _huge,
        ("--context", "xa-csirt", "verify", "f"),
        6,
        "larger than",
    ),
    "a folder to verify": (
        lambda o: (o.folder / "f").mkdir(),
        ("--context", "xa-csirt", "verify", "f"),
        2,
        "cannot read f",
    ),
    "a time nobody knows": (
        _write("f", b"{}"),
        ("--context", "xa-csirt", "verify", "f", "--at", "yesterday"),
        2,
        "--at",
    ),
    "a world-readable key": (
        lambda o: (keys(o) / "signing.pem").chmod(0o644),
        (*PUBLISH, str(DRAFT)),
        6,
        "chmod 600",
    ),
    "a wrong passphrase": (
        lambda o: (keys(o) / "signing.pass").write_text("wrong\n"),
        (*PUBLISH, str(DRAFT)),
        6,
        "does not open",
    ),
    "a missing registry": (
        lambda o: Folder(o.folder / "home").registry.unlink(),
        (*PUBLISH, str(DRAFT)),
        2,
        "registrar",
    ),
    "an unknown context": (lambda _: None, ("--context", "xa-csrt", "picture"), 2, "did you mean 'xa-csirt'?"),
    "no context": (lambda _: None, ("picture",), 2, "--context NAME"),
    "a context that is no name": (
        lambda _: None,
        ("context", "add", "../x", "--authority", "a", "--domain", "d", "--pin", "p", "--registry", "r"),
        2,
        "cannot name a context",
    ),
    "a server that is none": (
        lambda _: None,
        ("context", "add", "x", "--authority", "a", "--domain", "d", "--pin", "p", "--registry", "r", "--server", "x:1"),
        2,
        "nats://host:4222",
    ),
    "a place that is not there": (
        lambda _: None,
        ("bulletin", "draft", "cyber-incident", "--out", "nowhere/d.toml"),
        1,
        "check the path",
    ),
    "a country that is none": (lambda _: None, ("--context", "xb-hub", "watch", "--country", "Utopia"), 2, "two letters"),
    "an election that is none": (
        lambda _: None,
        ("--context", "xb-hub", "watch", "--election", "../x"),
        2,
        "xa-parl-2027",
    ),
    "a broker's folder that is none": (
        lambda _: None,
        ("--context", "xb-hub", "server", "check", "none", "--url", "nats://127.0.0.1:9"),
        3,
        "no broker's folder",
    ),
    "another's bulletin to withdraw": (
        lambda _: None,
        ("--context", "xa-csirt", "bulletin", "cancel", "0196fe2f-9be0-7000-8000-000000000009", "a reason"),
        3,
        "only its issuer",
    ),
    "a threshold that cannot be met": (
        lambda o: (o.key("a"), o.key("b")),
        ("registry", "init", "r", "--domain", "d2", "--root", "a.jwk", "--root", "a.jwk", "--threshold", "2", "--beacon", "b.jwk"),
        2,
        "1 different root keys",
    ),
    "an audience nobody made": (
        lambda _: None,
        ("registry", "grant", REGISTRY, "xa-csirt", "--publish", "green:comunity", "--out", "r"),
        2,
        "did you mean 'community'?",
    ),
    "a kind nobody knows": (
        lambda _: None,
        ("registry", "grant", REGISTRY, "xa-csirt", "--publish", "green:community:cyber-thret", "--out", "r"),
        2,
        "did you mean 'cyber-threat'?",
    ),
    "an authority that is not there": (
        lambda _: None,
        ("registry", "grant", REGISTRY, "xa-cirt", "--publish", "green:community", "--out", "r"),
        3,
        "did you mean 'xa-csirt'?",
    ),
    "an id that is none": (
        lambda _: None,
        ("registry", "add", REGISTRY, "XA", "--name", "x", "--kind", "csirt", "--domain", "cyber", "--country", "XA"),
        2,
        "such as xa-csirt",
    ),
    "a domain that is none": (
        lambda _: None,
        ("registry", "add", REGISTRY, "xa-cert", "--name", "x", "--kind", "csirt", "--domain", "cybre", "--country", "XA"),
        2,
        "did you mean 'cyber'?",
    ),
    "a state folder that is a file": (
        _state_is_a_file,
        (*PUBLISH, str(DRAFT)),
        1,
        "check the path",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "arguments", "code", "words"), SPOILED.values(), ids=SPOILED)
def test_it_is_said_in_a_sentence(
    office: Office, spoil: Callable[[Office], object], arguments: tuple[str, ...], code: int, words: str
) -> None:
    """What happened and what to do next, on standard error."""
    spoil(office)
    said = office.run(*arguments, code=code)
    assert words in said
    assert "bug" not in said
    assert "Traceback" not in said
    sentences = [line for line in said.splitlines() if line.startswith("tocsin: ")]
    assert sentences == said.splitlines()[-1:], said


def test_a_forged_file_is_named_and_not_to_be_acted_on(office: Office) -> None:
    """The sentence says which file, why, and what to do; nothing is on standard output."""
    office.run(*PUBLISH, str(DRAFT))
    found = json.loads(
        office.run("--context", "xa-csirt", "publish", "--again", "--wait", "accepted", str(DRAFT), "--json")
    )
    file = office.folder / "b.tocsin.json"
    file.write_text(office.run("--context", "xa-csirt", "bulletin", "show", found["id"], "--file"))
    assert "signed by  XA National CSIRT" in office.run("--context", "xb-hub", "verify", "b.tocsin.json")
    signed = json.loads(file.read_text())
    middle = len(signed["payload"]) // 2
    other = "A" if signed["payload"][middle] != "A" else "B"
    signed["payload"] = signed["payload"][:middle] + other + signed["payload"][middle + 1 :]
    file.write_text(json.dumps(signed))
    said = office.run("--context", "xb-hub", "verify", "b.tocsin.json", code=6)
    assert "b.tocsin.json is not valid" in said
    assert "[bad-signature]" in said


def test_a_reader_that_goes_is_no_failure(office: Office) -> None:
    """A closed pipe, as behind `head`, ends it with 0 and without a word."""
    with subprocess.Popen(
        [TOCSIN, "config", "show"], cwd=office.folder, env=office.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")


def test_a_full_device_and_no_output_at_all(office: Office) -> None:
    """Standard output on a full disk is a sentence; a closed one is nobody's bug."""
    run = {"shell": True, "cwd": office.folder, "env": office.env, "capture_output": True, "text": True}
    full = subprocess.run(f"{TOCSIN} context ls > /dev/full", **run)  # type: ignore[call-overload]
    assert (full.returncode, "No space left" in full.stderr) == (1, True), full.stderr
    closed = subprocess.run(f"{TOCSIN} context ls >&-", **run)  # type: ignore[call-overload]
    assert (closed.returncode, closed.stderr) == (0, "")


def test_a_terminal_of_another_encoding_gets_escapes(office: Office) -> None:
    """What Latin-1 cannot write is escaped; a bulletin in 24 languages is no error."""
    draft = json.loads(DRAFT.read_text())
    draft["info"][0]["headline"] = "Évènement \u4e2d\u6587"
    (office.folder / "d.json").write_text(json.dumps(draft))
    found = json.loads(office.run(*PUBLISH, "d.json", "--json"))
    office.env |= {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [TOCSIN, "--context", "xa-csirt", "bulletin", "show", found["id"]],
        cwd=office.folder, env=office.env, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Évènement \\u4e2d\\u6587".encode("latin-1") in done.stdout


def test_an_authority_without_a_store_lists_what_it_has_said(office: Office) -> None:
    """Newest first, with the word of the ladder; the limit counts what the kind lets through."""
    said = [json.loads(office.run(*PUBLISH, str(DRAFT), "--json"))["id"] for _ in range(2)]
    rows = office.run(
        "--context", "xa-csirt", "bulletin", "list", "--json", "--kind", "cyber-incident", "--limit", "1"
    )
    assert [(row["id"], row["state"]) for row in map(json.loads, rows.splitlines())] == [
        (said[1], "accepted")
    ]
    assert office.run("--context", "xa-csirt", "bulletin", "list", "--mine", "--kind", "fimi") == ""
