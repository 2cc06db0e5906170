"""The desk of the record: runs commands in the scene's folder, and keeps what came of them."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.record.entries import Entry, Form, Outcome
from tests.record.process import RunError, Running

PROGRAM = (sys.executable, "-c", "import sys; from bus.cli.main import main; sys.argv[0] = 'tocsin'; main()")
ALL_FORMS = (Form.PIPE, Form.JSON, Form.TERMINAL)
WITHOUT_TERMINAL = (Form.PIPE, Form.JSON)
WIDTH = 3
SETTLE_S = 0.5  # a program takes a signal in hand a little after it has said that it runs
PATIENCE_S = 30.0
NATS_SERVER = "nats-server"
# How much room a disk has.
FREE = {r"\d+ MiB free": "<n> MiB free"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command to run; `{form}` in an argument is the form's name.

    Attributes:
        command: the leaf command.
        arguments: what follows it.
        title: what the call shows.
        context: the identity.
        forms: how it is run.
        home: the folder of settings, when it is not the scene's.
        stdin: what it reads.
        stop_at: a text after which it is told to end.
        stop_file: a file that must be there too before it is told to end.
        is_sorted, first, hidden: as in `Entry`.
    """

    command: str
    arguments: tuple[str, ...] = ()
    title: str = "works"
    context: str | None = None
    forms: tuple[Form, ...] = ALL_FORMS
    home: str = "home"
    stdin: str | None = None
    stop_at: str | None = None
    stop_file: str | None = None
    is_sorted: bool = False
    first: int | None = None
    hidden: dict[str, str] = field(default_factory=dict)


class Desk:
    """Commands run in one folder, and their entries in the order of the calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.names: dict[str, str] = {}
        self._running: list[Running] = []

    def name(self, value: str, name: str) -> str:
        """Give a value of this run its name in the record."""
        self.names[value] = name
        return value

    def run(self, call: Call) -> list[Outcome]:
        """Run a call in each of its forms, one after the other, and keep the entries."""
        entries = [self._entry(call, form) for form in call.forms]
        self.entries += entries
        return [entry.outcome for entry in entries]

    def ask(self, call: Call) -> Outcome:
        """Run a call that must succeed in its first form, and keep nothing; for what the scene must know.

        Raises:
            RunError: it failed.
        """
        entry = self._entry(call, call.forms[0])
        if entry.outcome.code:
            raise RunError(f"{entry.line}: {entry.outcome}")
        return entry.outcome

    def ask_all(self, calls: Iterable[Call]) -> list[Outcome]:
        """The same for calls that do not touch each other, some at once."""
        with ThreadPoolExecutor(WIDTH) as pool:
            return list(pool.map(self.ask, calls))

    def together(self, calls: Iterable[Call]) -> None:
        """Run calls that change nothing, some at once, and keep their entries in order."""
        jobs = [(call, form) for call in calls for form in call.forms]
        with ThreadPoolExecutor(WIDTH) as pool:
            self.entries += pool.map(lambda job: self._entry(*job), jobs)

    @contextmanager
    def beside(self, call: Call, form: Form, ready: str) -> Iterator[Running]:
        """Run a call beside others until the block ends, and keep its entry."""
        command, line = self._command(call, form)
        running = self._start(call, form, command)
        try:
            running.until_said(ready)
            yield running
            self.entries.append(self._kept(call, form, line, running.end()))
        finally:
            running.kill()

    def _entry(self, call: Call, form: Form) -> Entry:
        command, line = self._command(call, form)
        running = self._start(call, form, command)
        try:
            if call.stop_at is not None:
                running.until_said(call.stop_at)
                self._wait_for(call, form)
                outcome = running.end()
            else:
                outcome = running.outcome()
        finally:
            running.kill()
        return self._kept(call, form, line, outcome)

    def _wait_for(self, call: Call, form: Form) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (
            call.stop_file is not None and not (self.folder / call.stop_file.replace("{form}", form)).exists()
        ):
            if time.monotonic() > deadline:
                raise RunError(f"{call.stop_file} does not come")
            time.sleep(0.05)
        time.sleep(SETTLE_S)

    def _kept(self, call: Call, form: Form, line: str, outcome: Outcome) -> Entry:
        return Entry(
            command=call.command,
            title=call.title,
            form=form,
            line=line,
            outcome=outcome,
            is_sorted=call.is_sorted,
            first=call.first,
            hidden=call.hidden,
        )

    def _command(self, call: Call, form: Form) -> tuple[list[str], str]:
        context = ["--context", call.context] if call.context is not None else []
        arguments = [argument.replace("{form}", form) for argument in call.arguments]
        words = [*context, *call.command.split(), *arguments, *(["--json"] if form is Form.JSON else [])]
        return [*PROGRAM, *words], shlex.join(("tocsin", *words))

    def _start(self, call: Call, form: Form, command: Sequence[str]) -> Running:
        return Running(
            command,
            cwd=self.folder,
            env=self._environment(call.home),
            on_terminal=form is Form.TERMINAL,
            stdin=call.stdin,
        )

    def _environment(self, home: str) -> dict[str, str]:
        checkout = Path(__file__).resolve().parent.parent.parent
        return {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
            "PYTHONPATH": str(checkout),
            "HOME": str(self.folder),
            "TOCSIN_HOME": str(self.folder / home),
            "XDG_STATE_HOME": str(self.folder / "states"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "TMPDIR": str(self.folder / "tmp"),
            "TOCSIN_NATS_SERVER": str(self.folder / NATS_SERVER),
            "NO_COLOR": "1",
            "TOCSIN_CONSOLE": "off",
            "TERM": "xterm",
            "COLUMNS": "80",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
        }

    def write(self, name: str, text: str) -> str:
        """Write a file of the scene, and return its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return name


Chapter = Callable[[Desk], None]
