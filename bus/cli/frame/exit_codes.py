"""The exit codes, their meanings, and the code for each error of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.errors import TocsinError

DONE, FAILURE, USAGE, NOT_FOUND, NOT_AUTHORISED, REFUSED, UNTRUSTED, UNREACHABLE, PARTLY, UNRELIABLE = range(
    10
)
QUEUED, INTERRUPTED = 75, 130

EXIT_CODES: dict[int, str] = {
    DONE: "done",
    FAILURE: "failure",
    USAGE: "usage: a wrong flag, argument or setting",
    NOT_FOUND: "not found",
    NOT_AUTHORISED: "not authorised, by the broker or the registry",
    REFUSED: "refused before signing: schema, rule or policy",
    UNTRUSTED: "trust failure: signature, revoked key, expired registry",
    UNREACHABLE: "bus unreachable",
    PARTLY: "partly done",
    UNRELIABLE: "shown, but not reliable: the health verdict is bad",
    QUEUED: "queued on this disk; it is sent later",
    INTERRUPTED: "interrupted",
}

# Class names, not classes, so that no room of the library must be imported for an exit code. The code of a class
# holds for its subclasses. A class without an entry, also for its bases, ends with FAILURE.
BY_CLASS: dict[str, int] = {
    "AmbiguousIdError": USAGE,
    "ConfigError": USAGE,
    "FilterError": USAGE,
    "NotFoundError": NOT_FOUND,
    "DeniedError": NOT_AUTHORISED,
    "AdapterError": REFUSED,
    "DeskError": REFUSED,
    "InputFileError": REFUSED,
    "PermitError": REFUSED,
    "ReviewError": REFUSED,
    "SchemaError": REFUSED,
    "AdmissionError": UNTRUSTED,
    "AuditError": UNTRUSTED,
    "BackupError": UNTRUSTED,
    "BundleError": UNTRUSTED,
    "KeyFileError": UNTRUSTED,
    "SealError": UNTRUSTED,
    "TrustError": UNTRUSTED,
    "UnreachableError": UNREACHABLE,
}

# (class name, reason), if the reason needs another code than its class.
BY_REASON: dict[tuple[str, str], int] = {
    ("AdapterError", "format-stuck"): FAILURE,
    ("BackupError", "backup-empty"): NOT_FOUND,
    ("BackupError", "backup-member"): REFUSED,
    ("BackupError", "backup-occupied"): REFUSED,
    ("BackupError", "backup-room"): FAILURE,
    ("DeskError", "desk-role"): NOT_AUTHORISED,
    ("DeskError", "not-there"): NOT_FOUND,
    ("DeskError", "session-ended"): NOT_AUTHORISED,
    ("DeskError", "sign-in-locked"): NOT_AUTHORISED,
    ("DeskError", "sign-in-refused"): NOT_AUTHORISED,
    ("DeskError", "sign-in-wait"): NOT_AUTHORISED,
    ("InputFileError", "file-missing"): NOT_FOUND,
    ("InputFileError", "file-unreadable"): USAGE,
    ("ServerError", "no-monitor"): UNREACHABLE,
    ("ServerError", "not-running"): UNREACHABLE,
}


def exit_code(exc: TocsinError) -> int:
    """The code with which a command ends for this error."""
    names = [base.__name__ for base in type(exc).__mro__]
    for name in names:
        if (name, exc.reason) in BY_REASON:
            return BY_REASON[name, exc.reason]
    return next((BY_CLASS[name] for name in names if name in BY_CLASS), FAILURE)
