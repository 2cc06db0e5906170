"""A folder in which commands are run as a person would, and the keys that such a person has."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bus.cli.frame import DONE, UNRELIABLE
from bus.cli.main import main
from bus.keys.files import save_signer, write_secret
from bus.keys.signatures import FileSigner
from tests.support.waiting import eventually_sync, longest

TOCSIN = str(Path(sys.executable).parent / "tocsin")


class Done(NamedTuple):
    """With which code a command ended, and what it wrote."""

    code: int
    out: str
    err: str


class Office:
    """A folder in which commands are run, each expected to succeed unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "TOCSIN_HOME": str(folder / "home"),
            "XDG_STATE_HOME": str(folder / "states"),
            "NO_COLOR": "1",
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """One command; its standard output, or its standard error when it is to fail."""
        done = self._done(arguments)
        assert done.code == code, (arguments, done.out, done.err)
        return done.err if code else done.out

    def _done(self, arguments: Sequence[str]) -> Done:
        """One command to its end."""
        done = subprocess.run(
            [TOCSIN, *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=longest(),
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def look(self, *arguments: str) -> Done:
        """One command to its end, with whichever code."""
        return self._done(arguments)

    def view(self, *arguments: str) -> str:
        """What a command shows of a store, be it to be relied on or not: in most tests nobody reads into it."""
        done = self._done(arguments)
        assert done.code in (DONE, UNRELIABLE), (arguments, done)
        return done.out

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """One command in the background, ended as by Ctrl-C."""
        process = self.start(*arguments)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(longest())

    @contextlib.contextmanager
    def serving(self, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """`server run` over the folder `broker`, once it serves."""
        with self.running("server", "run", "broker", "--port", str(port), *options) as server:
            wait_for(self.folder / "server.log", "serving", server)
            yield server

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """One command in the background, its output in a file."""
        with (self.folder / f"{arguments[0]}.log").open("ab") as out:
            return subprocess.Popen(
                [TOCSIN, *arguments], cwd=self.folder, env=self.env, stdout=out, stderr=out
            )

    def key(self, name: str) -> dict[str, Any]:
        """A signing key with its passphrase and public half."""
        self.run("key", "new", f"{name}.pem", "--passphrase-file", f"{name}.pass", "--new-passphrase")
        public = self.run("key", "export", f"{name}.pem", "--passphrase-file", f"{name}.pass")
        (self.folder / f"{name}.jwk").write_text(public)
        found: dict[str, Any] = json.loads(public)
        return found

    def sign(self, root: str) -> None:
        """One root keeper's signature."""
        self.run(
            "registry",
            "sign",
            "registry.tocsin.json",
            "--key",
            f"{root}.pem",
            "--passphrase-file",
            f"{root}.pass",
        )

    def hold(self, name: str, signer: FileSigner) -> None:
        """A key made elsewhere, as the files that `key` would have made."""
        write_secret(self.folder / f"{name}.pass", b"correct horse")
        save_signer(self.folder / f"{name}.pem", signer, b"correct horse")
        public = {**signer.jwk, "kid": signer.kid, "alg": signer.alg, "use": "sig"}
        (self.folder / f"{name}.jwk").write_text(json.dumps(public))


class Desk(Office):
    """The same without a process for each command: in this one, whose folder and environment were set before."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        patch.chdir(folder)
        for name in ("TOCSIN_HOME", "XDG_STATE_HOME", "NO_COLOR"):
            patch.setenv(name, self.env[name])
        patch.setattr(sys, "stdin", io.StringIO())

    def _done(self, arguments: Sequence[str]) -> Done:
        """One command to its end."""
        return done_here(arguments)


def done_here(arguments: Sequence[str]) -> Done:
    """One command to its end in this process, which costs a fifth of a process of its own; folder and environment are set."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(arguments)
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def wait_for(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a file of text says something; the process that writes it must live until then."""

    def says() -> bool:
        if path.exists() and text in path.read_text():
            return True
        assert process.poll() is None, path.read_text()
        return False

    eventually_sync(says, describe=path.read_text)
