"""`tocsin bulletin new` and `draft`: begin a draft by questions or in an editor, and check it until it is right."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus import drafts
from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FAILURE,
    FILE,
    REFUSED,
    Answer,
    App,
    command,
    completing,
    must_be_known,
    must_be_new,
)
from bus.errors import ConfigError
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.drafts import Opening, Question

    Way = tuple[str | int, ...]

_SHOWN = 10
out_option = click.option(
    "--out", type=FILE, help="the file to write  [default: a new name, which is printed]"
)


@command(name="new")
@click.argument("kind", shell_complete=completing.kinds)
@out_option
@click.option("--edit", is_flag=True, help="open a commented draft in $VISUAL or $EDITOR instead of asking")
def new(app: App, kind: str, *, out: Path | None, edit: bool) -> Answer:
    """Begin a draft of KIND: answer a few questions, or write in your editor. The draft is checked and not sent.

    The beginning of a word is enough: `mod` is moderate; ? lists the words, Tab completes one. Separate several with
    commas; `now` is the present time. Your answers stay in the file, also when you stop. Without a terminal the
    commented draft is printed. Exits 5 while the draft has a fault.
    """
    must_be_known("kind", kind, drafts.DRAFTED)
    if not app.may_ask():
        return _printed(kind, out)
    file = out or _name(app, kind)
    must_be_new(file)
    if edit:
        _begin(file, drafts.begun(kind))
        return _edited(app, file)
    answers: dict[Way, Any] = {}
    try:
        _ask(app, kind, answers)
    finally:
        if answers:
            _begin(file, drafts.begun(kind, answers))
            app.note(f"your answers are in {file}")
    return _looked_at(app, file)


@command(name="draft")
@click.argument("kind", shell_complete=completing.kinds)
@click.option(
    "--out", type=FILE, help="write the draft to this file and open it in $EDITOR  [default: print it]"
)
def draft(app: App, kind: str, *, out: Path | None) -> Answer:
    """Begin a draft of KIND: a commented TOML file with every field, its bounds, and the words it takes."""
    must_be_known("kind", kind, drafts.DRAFTED)
    if out is None or not app.may_ask() or not _editor():
        return _printed(kind, out)
    must_be_new(out)
    _begin(out, drafts.begun(kind))
    return _edited(app, out)


def _printed(kind: str, out: Path | None) -> Answer:
    text = drafts.begun(kind)
    if out is None:
        return Answer({"kind": kind, "toml": text}, raw=text)
    must_be_new(out)
    _begin(out, text)
    return Answer(remarks=[f"draft written to {out}; check it: tocsin bulletin check {out}"])


def _begin(file: Path, text: str) -> None:
    """Write a new file that only its owner can read: the draft may get any marking. No symbolic link is followed."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.UsageError(f"{file} is there already; choose a new name") from None
    with os.fdopen(handle, "w", encoding="utf-8") as new_file:
        new_file.write(text)


def _name(app: App, kind: str) -> Path:
    return Path(f"{kind}-{app.now():%Y%m%d-%H%M%S}.toml")


# -- an editor ------------------------------------------------------------------------------------------------------


def _editor() -> str:
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""


def _edited(app: App, file: Path) -> Answer:
    """Open the file in the editor until it has no fault, or the person stops; the file stays."""
    if not _editor():
        raise click.UsageError(
            f"no editor is set; {file} is written. Set VISUAL or EDITOR, or open the file yourself; then: tocsin bulletin check {file}"
        )
    while True:
        try:
            done = subprocess.run([*shlex.split(_editor()), str(file)], check=False)
        except (OSError, ValueError) as exc:
            text = f"the editor {_editor()!r} does not start ({exc}); the draft stays in {file}"
            return Answer(remarks=[text], code=FAILURE)
        if done.returncode:
            app.note(f"the editor ended with {done.returncode}")
        found = _looked_at(app, file)
        if not found.code:
            return found
        for line in found.lines:
            app.note(str(line))
        if not app.agrees("edit it again?", usual=True):
            return Answer(
                remarks=[f"the draft stays in {file}; go on with: tocsin bulletin check {file}"], code=REFUSED
            )


def _looked_at(app: App, file: Path) -> Answer:
    found = frame.look_at(app, str(file))
    wrong = found.of("error", "doubt")
    lines = frame.told(str(file), found, found.findings)
    if wrong:
        text = f"{file} has faults: correct them, then: tocsin bulletin check {file}"
        return Answer({"file": str(file), "ok": False}, lines=lines, notes=[text], code=REFUSED)
    text = f"{file} is ready; see its readers: tocsin preview {file}; send it: tocsin publish {file}"
    return Answer({"file": str(file), "ok": True}, lines=lines, notes=[text], code=DONE)


# -- questions ------------------------------------------------------------------------------------------------------


def _ask(app: App, kind: str, answers: dict[Way, Any]) -> None:
    """Ask all questions of a kind; each answer is written to the file at once."""
    open_, usual = _open_to(app)
    asked = drafts.questions(kind, usual, tuple(each.audience for each in open_))
    app.note(
        f"{len(asked)} questions for a draft of kind {kind}; ? lists the words, Ctrl-C stops and keeps your answers"
    )
    for number, each in enumerate(asked, 1):
        audience = str(answers.get(("audience",), ""))
        question = _narrowed(each, open_, audience) if each.path == ("tlp",) else each
        answers[question.path] = _answer(app, f"{number}/{len(asked)}", question)


def _open_to(app: App) -> tuple[tuple[Opening, ...], dict[str, str]]:
    """The channels open to the context's authority, and the defaults of its context; both empty without a context."""
    try:
        registry, _ = frame.present_registry(app)
        given = frame.defaults(app.identity)
        open_ = drafts.audiences_of(registry, app.identity.authority)
    except (ConfigError, TocsinError):
        return (), {}
    usual = {"tlp": given.tlp, "audience": given.audience}
    return open_, {name: str(value) for name, value in usual.items() if value is not None}


def _narrowed(question: Question, open_: tuple[Opening, ...], audience: str) -> Question:
    """The question about the marking, with the markings open for an audience."""
    tlps = next((each.tlps for each in open_ if each.audience == audience), ())
    if not tlps:
        return question
    usual = question.usual if question.usual in tlps else tlps[0]
    return msgspec.structs.replace(question, words=tlps, usual=usual)


def _answer(app: App, number: str, question: Question) -> Any:
    """Ask until the answer is valid."""
    words = question.words
    shown = ", ".join(words[:_SHOWN]) + (
        f", and {len(words) - _SHOWN} more: ?" if len(words) > _SHOWN else ""
    )
    app.note(f"{number}  {question.about}: {shown or question.wanted}")
    _complete(words)
    while True:
        text = app.answer_to("      ", question.usual)
        if text.strip() == "?":
            app.note(", ".join(words) or question.wanted)
            continue
        found = drafts.answered(question, text, app.now())
        if found.fault is None:
            return found.value
        if found.nearest and app.agrees(f"      did you mean {found.nearest}?", usual=True):
            return drafts.answered(question, found.nearest, app.now()).value
        app.note(f"      {found.fault}")


def _complete(words: tuple[str, ...]) -> None:
    """Let Tab complete the words, if this Python has readline."""
    try:
        import readline
    except ImportError:
        return

    def completer(text: str, state: int) -> str | None:
        begun = [word for word in words if word.startswith(text.lower())]
        return begun[state] if state < len(begun) else None

    readline.set_completer_delims(" ,")
    readline.set_completer(completer)
    readline.parse_and_bind("tab: complete")
