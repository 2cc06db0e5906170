"""With which code a command ends for an error of the library: one table, beside which the library knows no numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bus import errors
from bus.audit import AuditError
from bus.bundle.file import BundleError
from bus.cli.frame.errors import InputFileError, NotFoundError, ReviewError
from bus.cli.frame.exit_codes import BY_CLASS, BY_REASON, EXIT_CODES, exit_code
from bus.desk import DeskError
from bus.plugin import AdapterError, FormatError
from bus.server.binary import ServerError
from bus.upkeep.archive import BackupError
from schemas.errors import EnvelopeError, RuleError, SchemaError, TocsinError, Violation

ROOT = Path(__file__).resolve().parents[5]
OURS: dict[TocsinError, int] = {
    errors.BusError("x"): 1,
    errors.BrokerError("x", code=10210): 1,
    errors.OutboxError("x"): 1,
    errors.StoreError("x"): 1,
    EnvelopeError("x"): 1,
    ServerError("x"): 1,
    BackupError("x", reason="backup-room"): 1,
    errors.AmbiguousIdError("x", candidates=()): 2,
    errors.ConfigError("x"): 2,
    errors.ConfigError("x", reason="file-missing"): 2,
    errors.FilterError("x"): 2,
    InputFileError("x", reason="file-unreadable"): 2,
    InputFileError("x", reason="file-missing"): 3,
    BackupError("x", reason="backup-empty"): 3,
    NotFoundError("x"): 3,
    NotFoundError("x", reason="unknown-authority"): 3,
    DeskError("x", reason="not-there"): 3,
    errors.DeniedError("x"): 4,
    DeskError("x", reason="desk-role"): 4,
    DeskError("x", reason="session-ended"): 4,
    DeskError("x", reason="sign-in-locked"): 4,
    DeskError("x", reason="sign-in-refused"): 4,
    DeskError("x", reason="sign-in-wait"): 4,
    DeskError("x"): 5,
    AdapterError("x"): 5,
    FormatError("x"): 5,
    InputFileError("x", reason="empty"): 5,
    BackupError("x", reason="backup-occupied"): 5,
    errors.PermitError("x"): 5,
    errors.VersionError("x", reason="already-withdrawn", living="x"): 5,
    SchemaError("x"): 5,
    RuleError((Violation("R1", "$", "x"),)): 5,
    ReviewError((Violation("person", "$", "x"),)): 5,
    errors.AdmissionError("x", reason="bad-signature"): 6,
    AuditError("x"): 6,
    BackupError("x"): 6,
    BundleError("x"): 6,
    errors.KeyFileError("x"): 6,
    errors.SealError("x"): 6,
    errors.TrustError("x", reason="unknown-authority"): 6,
    errors.UnreachableError("x"): 7,
}


@pytest.mark.parametrize(
    ("error", "code"), OURS.items(), ids=[f"{type(error).__name__} {error.reason}" for error in OURS]
)
def test_an_error_ends_with_the_code_of_its_class_or_reason(error: TocsinError, code: int) -> None:
    """A subclass ends as its base does, unless it has a row of its own."""
    assert exit_code(error) == code


def test_the_table_names_classes_that_are_there() -> None:
    """A class that is renamed takes its row with it, or this fails."""
    known = {base.__name__ for error in OURS for base in type(error).__mro__}
    assert {*BY_CLASS, *(name for name, _ in BY_REASON)} <= known


def test_every_code_in_use_is_explained() -> None:
    """In the topic `exit-codes`, from this table, and on the page of the command line."""
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert {*BY_CLASS.values(), *BY_REASON.values()} <= set(EXIT_CODES) == listed


def test_the_library_knows_no_exit_codes() -> None:
    """How a program ends is for the command line to say."""
    library = [
        path
        for room in ("schemas", "bus", "adapters")
        for path in (ROOT / room).rglob("*.py")
        if not path.is_relative_to(ROOT / "bus" / "cli")
    ]
    assert [path for path in library if "exit_code" in path.read_text("utf-8")] == []


def test_an_error_says_what_to_do_next() -> None:
    """The remedy ends the sentence, and stands beside it for a program."""
    error = errors.KeyFileError("a.pem is not there", remedy="make one: tocsin key new")
    assert str(error) == "a.pem is not there; make one: tocsin key new"
    assert (error.detail, error.remedy) == ("a.pem is not there", "make one: tocsin key new")
    assert str(errors.KeyFileError("a.pem is damaged")) == "a.pem is damaged"
