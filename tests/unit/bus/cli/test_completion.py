"""What a shell completes of a user's own, asked as the shell asks."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator

import click
import msgspec
import pytest

from bus.cli.frame import completing, own
from bus.cli.frame.completing import Own
from bus.cli.frame.own import NEWEST
from bus.cli.main import COMMANDS, main, program
from schemas.codec import encode
from schemas.vocab import Pap, Tlp
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.waiting import longest
from tests.support.world import Message, World, draft, goes_on, make_world

SAID = "Flood against results.example"
COUNT = 55
TELLS = (
    "import sys, bus.cli.main as cli\n"
    "try: cli.main()\n"
    "except SystemExit as exc: pass\n"
    "print('LOADED', *[m for m in ('nats', 'cryptography', 'structlog', 'asyncio') if m in sys.modules])\n"
)


@pytest.fixture(scope="module")
def world() -> World:
    """A world of its own."""
    return make_world(utc_now())


@pytest.fixture(scope="module")
def heard(world: World) -> list[Message]:
    """What the hub has read: more than is offered."""
    return goes_on(world, [], [draft(SAID)] * COUNT)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, world: World, heard: list[Message]) -> Desk:
    """A desk with two contexts: an authority that has said something, and a hub that has read something."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(folder / "here", patch, world, "xa-csirt", "xa-hub")
        said = msgspec.structs.replace(draft(SAID), tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
        (desk.folder / "draft.json").write_bytes(encode(said))
        desk.run("publish", "draft.json", "--context", "xa-csirt", "--wait", "accepted")
        asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world, heard))
    return desk


def ask(desk: Desk, patch: pytest.MonkeyPatch, words: str, **env: str) -> str:
    """What zsh is told that may come after `words`, of which the last is being written; in this process."""
    patch.chdir(desk.folder)
    for name, value in {**_asking("zsh", words), "TOCSIN_HOME": desk.env["TOCSIN_HOME"], **env}.items():
        patch.setenv(name, value)
    code, out, err = told()
    assert (code, err) == (0, "")
    return out


def told() -> tuple[int, str, str]:
    """What the program says in this process when it is started as by a shell that asks; it is told by the environment."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(("context", "ls"))
    return int(ended.value.code or 0), _read(out), _read(err)


def _read(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _asking(shell: str, words: str) -> dict[str, str]:
    """How a shell asks; fish says what is being written, not the number of the word."""
    at = words.rsplit(" ", maxsplit=1)[-1] if shell == "fish" else str(words.count(" "))
    return {"_TOCSIN_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": at}


def words_of(said: str) -> list[str]:
    """The words of what zsh is told: three lines each."""
    return said.splitlines()[1::3]


def helps_of(said: str) -> list[str]:
    """What zsh is told of each word."""
    return said.splitlines()[2::3]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_newest_bulletins_as_a_shell_asks(desk: Desk, heard: list[Message], shell: str) -> None:
    """Fifty, newest first, each with its headline where the shell shows one; nothing large is loaded for it."""
    env = {**desk.env, **_asking(shell, "tocsin --context xa-hub bulletin show ")}
    command = [sys.executable, "-c", TELLS]
    done = subprocess.run(
        command, cwd=desk.folder, env=env, capture_output=True, text=True, timeout=longest(), check=True
    )
    *lines, loaded = done.stdout.splitlines()
    newest = [each.bulletin.id for each in reversed(heard)][:NEWEST]
    form = {"bash": "plain,{}", "zsh": "plain\n{}\n" + SAID, "fish": "plain,{}\t" + SAID}[shell]
    assert "\n".join(lines) == "\n".join(form.format(each) for each in newest)
    assert (loaded, done.stderr) == ("LOADED", "")


def test_the_bulletins_of_an_outbox(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the context that the environment names."""
    said = ask(desk, monkeypatch, "tocsin trace ", TOCSIN_CONTEXT="xa-csirt")
    assert helps_of(said) == [SAID]


def test_what_steers_a_terminal_stays_on_its_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a line break in it would be further words, and is not offered; a meaning is escaped and cut."""
    found = [Own("a\nplain\nb"), Own("b", "\u202eone\nplain"), Own("c", "x" * 200)]
    monkeypatch.setattr(own, "contexts", lambda _app, _given: found)
    said = ask(desk, monkeypatch, "tocsin --context ")
    assert said.splitlines() == ["plain", "b", "\\u202eone\\u000aplain", "plain", "c", "x" * 59 + "\u2026"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("tocsin --context xa", ["xa-csirt", "xa-hub"]),
        ("tocsin publish --context=xa-h", ["xa-hub"]),
        ("tocsin context use xa-c", ["xa-csirt"]),
        ("tocsin context set xa-c", ["xa-csirt"]),
        ("tocsin context show xa-c", ["xa-csirt"]),
        ("tocsin bulletin draft cyber-t", ["cyber-threat"]),
        ("tocsin watch --topic cyber", ["cyber", "cyber-incident", "cyber-threat"]),
        ("tocsin --context xa-csirt publish --audience com", ["community"]),
        ("tocsin registry leave xa-hub/registry.tocsin.json xa-c", ["xa-csirt"]),
        ("tocsin registry join xa-hub/registry.tocsin.json xa-csirt com", ["community"]),
        ("tocsin help exit", ["exit-codes"]),
        ("tocsin help pub", ["publish"]),
        ("tocsin chan", ["channels"]),
        ("tocsin answ", ["answer", "answers"]),
    ],
)
def test_a_word(desk: Desk, monkeypatch: pytest.MonkeyPatch, words: str, answer: list[str]) -> None:
    """Of the settings, the registry, the vocabulary, and the program itself."""
    assert words_of(ask(desk, monkeypatch, words)) == answer


@pytest.mark.parametrize("command", ["publish", "bulletin check", "preview", "bulletin open"])
def test_files(desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Where a draft is named the shell completes names of files."""
    assert "file\ndra\n" in ask(desk, monkeypatch, f"tocsin {command} dra")


@pytest.mark.parametrize(
    "words",
    [
        "tocsin --context ",
        "tocsin bulletin show ",
        "tocsin publish --audience ",
        "tocsin --context nobody trace ",
    ],
)
@pytest.mark.parametrize("broken", ["contexts = 1", "[contexts.a]\nauthority = 1", "\x00", None])
def test_nothing_is_said_of_settings_that_are_broken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: str, broken: str | None
) -> None:
    """Nor of a context that is not there: nothing on either output, and no question."""
    home = desk.folder / "broken"
    home.mkdir(exist_ok=True)
    if broken is not None:
        (home / "config.toml").write_text(broken)
    else:
        (home / "config.toml").unlink(missing_ok=True)
    assert ask(desk, monkeypatch, words, TOCSIN_HOME=str(home)) in ("", "\n")


@pytest.mark.parametrize(
    "env", [{"COMP_CWORD": "x"}, {"COMP_WORDS": "tocsin 'open"}, {"_TOCSIN_COMPLETE": "zsh_nothing"}]
)
def test_a_shell_that_asks_wrongly_runs_no_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    """And is told nothing."""
    for name, value in {**desk.env, **_asking("zsh", "tocsin "), **env}.items():
        monkeypatch.setenv(name, value)
    _, out, err = told()
    assert (out.strip(), err) == ("", "")


@pytest.mark.parametrize("damage", [b"", b"no database", None])
def test_a_damaged_store_says_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    """The outbox beside it is still asked."""
    store = desk.folder / "state" / "xa-csirt" / "store.db"
    if damage is None:
        store.unlink(missing_ok=True)
        store.mkdir()
    else:
        store.write_bytes(damage)
    try:
        assert len(words_of(ask(desk, monkeypatch, "tocsin --context xa-csirt bulletin show "))) == 1
    finally:
        store.rmdir() if damage is None else store.unlink()


def test_the_list_of_commands_loads_none_of_them(desk: Desk) -> None:
    """`tocsin` and the tab key is what is asked most; the words stand in the table of the program."""
    tells = TELLS.replace("('nats',", "('bus.cli.officer.publish', 'msgspec', 'nats',")
    env = {**desk.env, **_asking("bash", "tocsin ")}
    done = subprocess.run(
        [sys.executable, "-c", tells], env=env, capture_output=True, text=True, timeout=longest(), check=True
    )
    *lines, loaded = done.stdout.splitlines()
    assert lines == [f"plain,{name}" for name in COMMANDS]
    assert loaded == "LOADED"


def test_every_command_that_takes_an_id_completes_it() -> None:
    """Also those that come later."""
    found = {
        path: [each for each in command.params if each.name == "bulletin_id"]
        for path, command in every_command(program, click.Context(program))
    }
    takes = {path: ids[0] for path, ids in found.items() if ids}
    assert {"tocsin trace", "tocsin bulletin show", "tocsin bulletin ack", "tocsin answer"} <= set(takes)
    assert {
        path for path, each in takes.items() if each._custom_shell_complete is not completing.bulletins
    } == set()


def every_command(
    group: click.Group, ctx: click.Context, path: str = "tocsin"
) -> Iterator[tuple[str, click.Command]]:
    """Each command of a group with its path, groups left out."""
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from every_command(found, click.Context(found, parent=ctx), f"{path} {name}")
        else:
            yield f"{path} {name}", found
