"""The registry on an identity's disk: a pinned version, later versions, a beacon and revocation statements.

Beside the pinned file `registry.tocsin.json` lie the versions after it, `registry.v2.tocsin.json` and so on, a beacon,
and in `revocations/` the statements that were taken in. Each version is checked against the one before, so the pin
never changes. A running program reads changed files again. It ignores an invalid file, logs that, and continues with
what it holds: no file makes a reader deaf. A statement is not verified again while its file is unchanged. It is deleted
when the registry itself revokes its keys.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from bus.errors import ConfigError, TrustError
from bus.logs import logger
from bus.storage import write_atomically
from bus.trust import soundness
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import said_in
from schemas.codec import digest
from schemas.envelope import TYP_BEACON, TYP_REVOKE, read_claims
from schemas.errors import EnvelopeError, SchemaError
from schemas.registry import MAX_BEACON_BYTES, MAX_REGISTRY_BYTES, MAX_REVOKE_BYTES
from schemas.subject import Trust

AGAIN_S = 1.0
UNREADABLE = "file-unreadable"
REVOCATIONS = "revocations"

log = logger()

_Seen = tuple[tuple[str, int, int], ...]


class RegistryStore:
    """Call it for the current registry; files are looked at once a second at most."""

    def __init__(
        self,
        file: Path,
        *,
        pin: str | None,
        domain: str | None,
        beacon: Path | None,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """Read everything.

        Args:
            file: the pinned version.
            pin: digest of its payload.
            domain: the domain that it must have.
            beacon: the path of the last beacon, which need not exist yet.
            clock: the present, aware.

        Raises:
            ConfigError: `file-missing`, `file-unreadable`.
            TrustError: the pinned version is invalid; an invalid later file is only logged.
        """
        self._file = file
        self._revocations = file.parent / REVOCATIONS
        self._beacon = beacon
        self._clock = clock
        self._left: set[tuple[Path, str]] = set()
        self._known: dict[Path, tuple[int, int]] = {}  # statements that were read: mtime (ns) and size
        self._altered: set[Path] = set()  # statements that were taken in and are no longer valid
        self._looked = clock()
        self._seen = self._look()
        self._sound = soundness.read(file)
        self._registry = self._pinned(pin, domain)
        self._versions = {self._registry.version: self._registry.raw}
        self._hold(self._registry)
        self._follow(strict=True)

    def __call__(self) -> VerifiedRegistry:
        """The current registry, with all files that came since the last call."""
        now = self._clock()
        if abs((now - self._looked).total_seconds()) >= AGAIN_S:
            self._looked = now
            self._look_again()
        return self._registry

    def take(self, raw: bytes) -> bool:
        """Take in a next version, a beacon or a revocation statement, and keep it. Returns whether it changed anything.

        Raises:
            TrustError: it is invalid, with its reason; nothing was kept.
        """
        self._look_again()  # another program may have taken in the version that this continues
        now = self._clock()
        kind = trust_kind(raw)
        kept = False
        if kind is Trust.REVOKE:
            payload = read_claims(raw, max_bytes=MAX_REVOKE_BYTES).payload
            path = self._revocations / f"{digest(payload)}.tocsin.json"
            kept = path.is_file()
            if kept and self._stands(path):
                return False  # the key that signed it may have revoked itself by it
            # Its name shows that it was taken in before: if that file was altered, this one replaces it.
            registry = self._registry.with_revocation(raw, now, taken_before=kept)
            raw = self._registry.statement_to_keep(raw)
        elif kind is Trust.BEACON:
            registry = self._registry.with_beacon(raw, now)
            path = self._beacon or self._file.with_name("beacon.tocsin.json")
        else:
            registry = self._update(raw, now)
            path = version_file(self._file, registry.version)
        if registry is self._registry and not kept:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, raw, mode=0o644)
        self._altered.discard(path)
        self._hold(registry)
        if kind is not Trust.BEACON:
            self._drop_needless()
        return True

    def _stands(self, path: Path) -> bool:
        try:
            self._with_statement(path.read_bytes(), self._clock())
        except (OSError, TrustError):
            return False
        return True

    def _drop_needless(self) -> None:
        """Delete the statements that add nothing, because the registry in force lists their keys or other statements reach further."""
        for path in self._statement_files():
            with contextlib.suppress(OSError, EnvelopeError, SchemaError):
                said = said_in(path.read_bytes(), self._registry.domain)
                if said not in self._registry.revocations and not self._registry.lacks(said):
                    path.unlink()
                    self._known.pop(path, None)

    def versions(self) -> tuple[bytes, ...]:
        """The file of each version, from the pinned one to the one in force."""
        return tuple(raw for _, raw in sorted(self._versions.items()))

    def statements(self) -> tuple[bytes, ...]:
        """Every revocation statement that was taken in and still counts under the registry in force."""
        statements = []
        for path in self._statement_files():
            with contextlib.suppress(OSError, TrustError):
                raw = path.read_bytes()
                self._with_statement(raw, self._clock())
                statements.append(raw)
        return tuple(statements)

    def beacon(self) -> bytes | None:
        """The last beacon that was taken in, or None."""
        path = self._beacon
        return path.read_bytes() if path is not None and path.is_file() else None

    def holds(self, raw: bytes) -> bool:
        """Whether these bytes are a version that is kept here, old or current."""
        files = (self._file, *self._later_files())
        return any(path.is_file() and path.read_bytes() == raw for path in files)

    def _hold(self, registry: VerifiedRegistry) -> None:
        lied = registry.contradicted
        if lied is not None and lied is not self._registry.contradicted:
            log.error(
                "beacon_contradicted",
                version=lied.version,
                announced=lied.digest,
                held=registry.digest,
                problem="the beacon named another digest for this version than the roots have signed",
            )
        self._registry = registry.forgetting(bool(self._altered))
        self._versions[registry.version] = registry.raw
        if registry.digest not in self._sound:
            self._sound |= {registry.digest}
            soundness.write(self._file, self._sound)

    def _update(self, raw: bytes, now: dt.datetime) -> VerifiedRegistry:
        return self._registry.update(raw, now, sound=self._sound)

    # -- files on the disk --------------------------------------------------------------------------------------------

    def _later_files(self) -> list[Path]:
        """The files of versions that are kept beside the pinned one."""
        return sorted(self._file.parent.glob(version_file(self._file, 0).name.replace("v0", "v*")))

    def _statement_files(self) -> list[Path]:
        return sorted(self._revocations.glob("*.tocsin.json"))

    def _look(self) -> _Seen:
        """Path, mtime (ns) and size of every registry file."""
        files = [*sorted(self._file.parent.glob("*.json")), *self._statement_files()]
        seen = []
        for path in (*files, self._beacon) if self._beacon else files:
            with contextlib.suppress(OSError):
                stat = path.stat()
                seen.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(seen)

    def _look_again(self) -> None:
        try:
            if (seen := self._look()) != self._seen:
                self._seen = seen
                self._follow()
        except OSError as exc:
            folder = self._file.parent
            self._leave(
                folder, ConfigError(f"cannot read the folder {folder}: {exc.strerror}", reason=UNREADABLE)
            )

    def _pinned(self, pin: str | None, domain: str | None) -> VerifiedRegistry:
        """The pinned version from its file, or from the copy beside it if a proposal replaced the file."""
        try:
            return VerifiedRegistry.open(_read(self._file), pin=pin, domain=domain, sound=self._sound)
        except TrustError as exc:
            if exc.reason == "pin":
                for path in self._later_files():
                    with contextlib.suppress(TrustError):
                        raw = path.read_bytes()
                        return VerifiedRegistry.open(raw, pin=pin, domain=domain, sound=self._sound)
            raise

    def _follow(self, *, strict: bool = False) -> None:
        """Add every valid file to the held registry.

        Args:
            strict: refuse to begin while the file of a revocation that was taken in cannot be read from the disk. An
                altered one stops no program, because then nobody could take it in again; it is logged as an error. Nor
                does a beacon: without a valid one, trust is `stale`.
        """
        while self._add(version_file(self._file, self._registry.version + 1), self._update):
            pass
        self._add(self._file, self._update)  # the next version may have replaced the file
        if self._beacon is not None:
            self._add(self._beacon, self._registry.with_beacon)
        files = self._statement_files()
        self._altered &= {*files}
        for path in files:
            self._read_statement(path, strict=strict)
        self._hold(self._registry)

    def _read_statement(self, path: Path, *, strict: bool) -> None:
        """Read a statement that was taken in, unless it was read before and its file is unchanged."""
        seen: tuple[int, int] | None = None
        with contextlib.suppress(OSError):
            stat = path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
        if seen is None or self._known.get(path) != seen:
            self._known.pop(path, None)
            try:
                self._hold(self._with_statement(_read(path), self._clock()))
            except ConfigError:
                if strict:
                    raise
                self._seen = ()  # the next look reads it again
            except TrustError as exc:
                if (path, exc.reason) not in self._left:
                    log.error(
                        "revocation_not_in_force",
                        path=str(path),
                        reason=exc.reason,
                        problem=f"it was altered after it was taken in ({exc})",
                        remedy="take it in again: tocsin registry accept",
                    )
                self._left.add((path, exc.reason))
                self._altered.add(path)
            else:
                self._altered.discard(path)
                if seen is not None:
                    self._known[path] = seen

    def _with_statement(self, raw: bytes, now: dt.datetime) -> VerifiedRegistry:
        return self._registry.with_revocation(raw, now, taken_before=True)

    def _add(self, path: Path, step: Callable[[bytes, dt.datetime], VerifiedRegistry]) -> bool:
        """Take a file in if it is valid. Returns whether it changed anything."""
        if not path.exists():
            return False
        try:
            registry = step(_read(path), self._clock())
        except (TrustError, ConfigError) as exc:
            self._leave(path, exc)
            return False
        changed = registry is not self._registry
        self._hold(registry)
        return changed

    def _leave(self, path: Path, exc: TrustError | ConfigError) -> None:
        """Log once that a file was ignored. An older version, an expired beacon or a proposal is not logged.

        An unreadable file (for example without a free file descriptor) may be a revocation: the next look reads it
        again.
        """
        if exc.reason == UNREADABLE:
            self._seen = ()
        proposal = path == self._file and exc.reason == "threshold"
        if proposal or exc.reason in ("rollback", "expired") or (path, exc.reason) in self._left:
            return
        self._left.add((path, exc.reason))
        log.warning("registry_file_left_aside", path=str(path), reason=exc.reason, problem=str(exc))


def heard_beside(file: Path, registry: VerifiedRegistry, now: dt.datetime) -> VerifiedRegistry:
    """A registry with the statements beside its file, for making its next version.

    Files that are invalid or cannot be read are ignored.
    """
    for path in sorted((file.parent / REVOCATIONS).glob("*.tocsin.json")):
        with contextlib.suppress(OSError, TrustError):
            registry = registry.with_revocation(path.read_bytes(), now, taken_before=True)
    return registry


def version_file(file: Path, version: int) -> Path:
    """The path of a version beside another one's file: `registry.v2.tocsin.json`."""
    stem = file.name.removesuffix(".json").removesuffix(".tocsin")
    return file.with_name(f"{stem}.v{version}{file.name.removeprefix(stem)}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"the registry file {path} is not there",
            remedy="ask your registrar for it",
            reason="file-missing",
        ) from None
    except OSError as exc:
        raise ConfigError(
            f"cannot read the registry file {path}: {exc.strerror}", reason=UNREADABLE
        ) from None


def trust_kind(raw: bytes) -> Trust:
    """The type that a file states; a file without a known type is taken for a version, and refused as one."""
    if _is(raw, TYP_REVOKE, MAX_REVOKE_BYTES):
        return Trust.REVOKE
    return Trust.BEACON if _is(raw, TYP_BEACON, MAX_BEACON_BYTES) else Trust.REGISTRY


def _is(raw: bytes, typ: str, most: int) -> bool:
    """Whether every signature of a file states this type."""
    if len(raw) > MAX_REGISTRY_BYTES * 2:
        return False
    try:
        entries = read_claims(raw, max_bytes=most).entries
    except EnvelopeError:
        return False
    return all(entry.header.typ == typ for entry in entries)
