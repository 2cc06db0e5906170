"""What a command loads before it does anything: that is most of the time of a short one."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from bus.cli.frame import DONE, UNRELIABLE
from schemas.codec import encode
from schemas.vocab import Pap, Tlp
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk
from tests.support.office import Desk
from tests.support.waiting import longest
from tests.support.world import draft, make_world

HEAVY = (
    "asyncio",
    "logging",
    "ssl",
    "sqlite3",
    "msgspec",
    "cryptography",
    "nacl",
    "structlog",
    "rich",
    "nats",
)
TELLS = (
    "import sys, bus.cli.main as cli\n"
    "try: cli.main(sys.argv[2:])\n"
    "except SystemExit as exc: code = exc.code\n"
    "open('loaded', 'w').write(' '.join(m for m in sys.argv[1].split() if m in sys.modules))\n"
    "sys.exit(code)\n"
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk with one context, that of the CSIRT of XA, and a draft."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        desk = hub_desk(folder / "here", patch, make_world(utc_now()), "xa-csirt")
    said = msgspec.structs.replace(draft(), tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    (desk.folder / "draft.json").write_bytes(encode(said))
    return desk


@pytest.mark.parametrize(
    ("command", "loaded"),
    [
        ("--help", ""),
        ("publish --help", "msgspec"),
        ("context ls", "msgspec"),
        ("key show xa-csirt.pem --passphrase-file xa-csirt.pass", "msgspec cryptography nacl"),
        ("registry show", "msgspec cryptography nacl"),
        ("channels", "asyncio logging ssl sqlite3 msgspec cryptography nacl"),
        ("publish draft.json --wait accepted", "asyncio logging ssl sqlite3 msgspec cryptography nacl"),
    ],
)
def test_a_command_loads_what_it_uses(desk: Desk, command: str, loaded: str) -> None:
    """Of what is large: no client of the broker where nothing is sent, and no log where nothing is said."""
    done = subprocess.run(
        [sys.executable, "-c", TELLS, " ".join(HEAVY), *command.split()],
        cwd=desk.folder,
        env=desk.env,
        capture_output=True,
        text=True,
        timeout=longest(),
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (DONE, UNRELIABLE), done.stderr
    assert (desk.folder / "loaded").read_text() == loaded


def test_what_is_logged_before_a_command_sets_its_log_up_is_no_part_of_its_answer(desk: Desk) -> None:
    """It goes to standard error; what `--json` prints stays one document."""
    logs = "from bus.logs import logger; import bus.cli.frame.app as app; old = app.App.context\n"
    logs += "app.App.context = lambda self: (logger().error('early', detail='x'), old(self))[1]\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{logs}import bus.cli.main as cli; cli.main(['registry', 'show', '--json'])"],
        cwd=desk.folder,
        env=desk.env,
        capture_output=True,
        text=True,
        timeout=longest(),
    )
    msgspec.json.decode(done.stdout)
    assert "error: early" in done.stderr
