"""The registry on a disk: valid files are followed, invalid ones ignored, and no file makes a reader deaf."""

from __future__ import annotations

import datetime as dt
import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from bus.errors import ConfigError, TrustError
from bus.keys import subgroup
from bus.keys.signatures import FileSigner, sign_entry, thumbprint
from bus.trust import ceremony, rules
from bus.trust.registry import TrustState, VerifiedRegistry
from bus.trust.revocations import new_statement
from bus.trust.rotation import add_key, revoke_keys
from bus.trust.store import version_file
from schemas.envelope import TYP_REVOKE, b64u, read_signed, write_signed
from schemas.registry import KeyRecord
from tests.support.clocks import Clock
from tests.support.trust import DAY, WORLD, hold, statement
from tests.support.world import NOW, key_record, signed_registry, within


def following(registry: VerifiedRegistry, *, roots: int = 2) -> bytes:
    """A next version, signed by some of the roots."""
    document = ceremony.next_version(registry.document, registry.digest, NOW, 90 * DAY)
    return signed_registry(document, WORLD.roots[:roots])


def test_what_is_taken_in_is_followed_by_others_and_after_a_restart(tmp_path: Path) -> None:
    """A version, a beacon and a statement: at once here, within a second in a running program, and in a new one."""
    clock = Clock(NOW)
    running, taking = hold(tmp_path, clock), hold(tmp_path, clock)
    assert taking.take(following(taking()))
    assert taking.take(ceremony.new_beacon(taking(), WORLD.beacon, NOW, DAY))
    assert taking.take(statement())
    assert not taking.take(statement())
    assert running().version == 1
    clock.pass_(2)
    for each in (taking(), running(), hold(tmp_path, clock)()):
        assert (each.version, each.state(clock.now)) == (2, TrustState.FRESH)
        assert each.revoked().keys() == {WORLD.signers["xa-csirt"].kid}


def test_many_versions_are_followed_one_by_one(tmp_path: Path) -> None:
    """The pin stays at the first; each version is checked by the one before it."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    for _ in range(3):
        held.take(following(held()))
    assert hold(tmp_path, clock)().version == 4
    version_file(tmp_path / "registry.tocsin.json", 3).unlink()
    assert hold(tmp_path, clock)().version == 2


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("signed by too few", lambda held: following(held(), roots=1), "threshold"),
        ("the version before", lambda _: WORLD.raw, None),
        ("rubbish", lambda _: b"{}", "malformed-registry"),
        ("a skipped version", lambda held: following(held().update(following(held()), NOW)), "skip"),
        (
            "somebody's beacon",
            lambda held: ceremony.new_beacon(held(), WORLD.roots[0], NOW, DAY),
            "threshold",
        ),
    ],
)
def test_what_does_not_stand_is_not_taken_in(
    tmp_path: Path, name: str, make: object, reason: str | None
) -> None:
    """It is refused with its reason, nothing is kept, and a file of it changes nothing in a running program."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    raw = make(held)  # type: ignore[operator]
    if reason is None:
        assert not held.take(raw)
    else:
        with pytest.raises(TrustError) as refused:
            held.take(raw)
        assert refused.value.reason == reason
    version_file(tmp_path / "registry.tocsin.json", 2).write_bytes(raw)
    clock.pass_(2)
    assert held().version == 1
    assert hold(tmp_path, clock)().version == 1


def test_a_damaged_revocation_is_said_and_stops_no_program(tmp_path: Path) -> None:
    """A program that has read it continues with it; a new program logs an error; the same statement, undamaged, replaces it."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    held.take(statement())
    (path,) = (tmp_path / "revocations").iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    clock.pass_(2)
    assert held().revoked()
    assert held().is_forgetful
    with capture_logs() as lines:
        begun = hold(tmp_path, clock)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["revocation_not_in_force"]
    assert not begun().revoked()
    assert begun().is_forgetful
    begun.take(following(begun()))
    assert begun().is_forgetful
    clock.pass_(30 * 86_400)  # a statement heard for the first time would be too old by now
    assert begun.take(statement())
    assert begun().revoked()
    assert not begun().is_forgetful
    clock.pass_(2)
    assert not held().is_forgetful
    assert hold(tmp_path, clock)().revoked()
    assert begun.take(statement()) is False


def test_a_statement_that_cannot_be_read_from_the_disk_stops_a_program_that_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked key must not count again silently because of a lack of descriptors."""
    clock = Clock(NOW)
    hold(tmp_path, clock).take(statement())
    (path,) = (tmp_path / "revocations").iterdir()
    monkeypatch.setattr(Path, "read_bytes", _but(path, Path.read_bytes))
    with pytest.raises(ConfigError) as refused:
        hold(tmp_path, clock)
    assert refused.value.reason == "file-unreadable"


def _but(path: Path, read: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """Reads every file except one."""

    def read_bytes(each: Path) -> bytes:
        if each == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(each)

    return read_bytes


def test_a_strangers_signature_on_a_statement_is_not_kept(tmp_path: Path) -> None:
    """Only what its authority has signed lies on the disk, and is handed on."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    file = read_signed(statement(), within(TYP_REVOKE))
    junk = sign_entry(WORLD.signers["xb-csirt"], b"something else", within(TYP_REVOKE))
    assert held.take(write_signed(file.payload, (*file.entries, junk)))
    assert held.statements() == (statement(),)


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Within the context this process can open no file."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def without_files() -> Iterator[None]:
    """Within the context it can list a folder but read none of its files."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(_: Path) -> bytes:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patch.setattr(Path, "read_bytes", refuse)
        yield


@pytest.mark.parametrize("without", [without_descriptors, without_files])
def test_what_could_not_be_read_is_read_as_soon_as_it_can_be(
    tmp_path: Path, without: Callable[[], AbstractContextManager[None]]
) -> None:
    """A program without a free descriptor continues with its registry, and later misses no revocation."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    assert hold(tmp_path, clock).take(statement())
    with without():
        clock.pass_(2)
        assert not held().revoked()
    clock.pass_(2)
    assert held().revoked()


def test_a_split_view_leaves_trust_stale_and_stops_no_program(tmp_path: Path) -> None:
    """A beacon that names another registry of the same version is left aside, also by a program that begins."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    other = VerifiedRegistry.open(following(held()))
    document = msgspec.structs.replace(other.document, version=1, prev=None)
    forked = VerifiedRegistry.open(signed_registry(document, WORLD.roots))
    (tmp_path / "beacon.tocsin.json").write_bytes(ceremony.new_beacon(forked, WORLD.beacon, NOW, DAY))
    clock.pass_(2)
    assert held().state(clock.now) is TrustState.STALE
    assert hold(tmp_path, clock)().state(clock.now) is TrustState.STALE


def test_what_another_program_took_in_is_not_passed_over(tmp_path: Path) -> None:
    """A statement that another took in a moment ago counts here too after this one has taken a version in."""
    clock = Clock(NOW)
    one, two = hold(tmp_path, clock), hold(tmp_path, clock)
    assert one.take(statement())
    assert two.take(following(two()))
    clock.pass_(2)
    for each in (one, two):
        assert (each().version, len(each().revoked())) == (2, 1)


def test_a_version_continues_what_another_program_has_just_taken_in(tmp_path: Path) -> None:
    """Version 3 is taken in although this program has not looked at the disk since version 2 came there."""
    clock = Clock(NOW)
    one, two = hold(tmp_path, clock), hold(tmp_path, clock)
    assert one.take(following(one()))
    assert two.take(following(one()))
    assert two().version == 3


def test_old_versions_are_known_by_their_bytes(tmp_path: Path) -> None:
    """Every version kept here is held, the first too; the same with one byte more is not."""
    held = hold(tmp_path, Clock(NOW))
    second = following(held())
    held.take(second)
    assert held.holds(WORLD.raw)
    assert held.holds(second)
    assert not held.holds(second + b" ")


def test_a_beacon_that_lied_about_the_next_version_stops_nobody(tmp_path: Path) -> None:
    """The version is taken in, a program that runs and one that begins are stale, and a true beacon makes both fresh."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    document = ceremony.next_version(held().document, held().digest, NOW, 30 * DAY)
    other = VerifiedRegistry.open(signed_registry(document, WORLD.roots))
    held.take(ceremony.new_beacon(other, WORLD.beacon, NOW, DAY))
    held.take(following(held()))
    for each in (held, hold(tmp_path, clock)):
        assert each().version == 2
        assert each().state(clock.now) is TrustState.STALE
    held.take(ceremony.new_beacon(held(), WORLD.beacon, NOW, DAY))
    for each in (held, hold(tmp_path, clock)):
        assert each().state(clock.now) is TrustState.FRESH


def test_a_flood_of_statements_leaves_one_file_and_no_more_work_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred about one key one is kept; a look at the folder reads none of them again."""
    clock = Clock(NOW)
    second = FileSigner.generate()
    held = hold(tmp_path, clock)
    document = ceremony.next_version(held().document, held().digest, NOW, 90 * DAY)
    held.take(signed_registry(add_key(document, "xa-csirt", key_record(second)), WORLD.roots))
    for n in range(100):
        raw = new_statement(
            domain="test",
            authority="xa-csirt",
            kids=[second.kid],
            since=NOW - dt.timedelta(seconds=n),
            reason="superseded",
            signer=WORLD.signers["xa-csirt"],
            now=NOW,
        )
        assert held.take(raw)
    assert len(list((tmp_path / "revocations").iterdir())) == 1
    begun = hold(tmp_path, clock)
    assert len(begun().revocations) == 1
    assert begun().revoked() == held().revoked()
    read: list[bytes] = []
    monkeypatch.setattr(VerifiedRegistry, "with_revocation", lambda _, raw, *__, **___: read.append(raw))
    (tmp_path / "another.json").write_bytes(b"{}")
    clock.pass_(2)
    begun()
    assert not read


def test_a_statement_goes_when_the_registry_says_so_itself(tmp_path: Path) -> None:
    """Its file too; heard again it is nothing new."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    assert held.take(statement())
    document = ceremony.next_version(held().document, held().digest, NOW, 90 * DAY)
    kid = WORLD.signers["xa-csirt"].kid
    document = revoke_keys(document, "xa-csirt", [kid], since=NOW, reason="superseded", now=NOW)
    held.take(signed_registry(document, WORLD.roots))
    assert list((tmp_path / "revocations").iterdir()) == []
    assert held.take(statement()) is False
    assert held().revoked() == hold(tmp_path, clock)().revoked() == {kid: NOW}


def _points(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The points that are checked for their order from now on."""
    checked: list[bytes] = []
    is_sound = subgroup.ed25519_is_sound

    def check(raw: bytes) -> bool:
        checked.append(raw)
        return is_sound(raw)

    monkeypatch.setattr(subgroup, "ed25519_is_sound", check)
    return checked


def test_keys_are_checked_when_a_version_is_first_held_and_by_no_later_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the roles alone, whose signatures are verified, each time; a version that is new is checked in full."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    keys = {each.public.jwk["x"] for each in held().bulletin_keys()}
    points = _points(monkeypatch)

    def checked() -> set[str]:
        found = {b64u(raw) for raw in points} & keys
        points.clear()
        return found

    hold(tmp_path, clock)
    assert checked() == set()
    held.take(following(held()))
    assert checked() == keys
    assert hold(tmp_path, clock)().version == 2
    assert checked() == set()
    (tmp_path / "registry.checked").write_bytes(b"\xff not a digest")
    hold(tmp_path, clock)
    assert checked() == keys


def test_a_key_of_small_order_is_refused_after_others_were_found_sound(tmp_path: Path) -> None:
    """The memory is for one payload and vouches for no other."""
    clock = Clock(NOW)
    held = hold(tmp_path, clock)
    document = ceremony.next_version(held().document, held().digest, NOW, 90 * DAY)
    weak = {"kty": "OKP", "crv": "Ed25519", "x": b64u(bytes(32))}
    record = document.authorities["xa-csirt"]
    keys = {
        **record.keys,
        thumbprint(weak): KeyRecord(alg="Ed25519", jwk=weak, not_before=NOW, not_after=NOW + DAY),
    }
    changed = {**document.authorities, "xa-csirt": msgspec.structs.replace(record, keys=keys)}
    raw = signed_registry(msgspec.structs.replace(document, authorities=changed), WORLD.roots)
    with pytest.raises(TrustError) as refused:
        held.take(raw)
    assert refused.value.reason == "weak-key"


def test_a_registry_lists_so_many_keys_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted before the first of them is looked at."""
    document = WORLD.registry.document
    most = len(tuple(rules._records(document))) + sum(
        len(each.nkeys) for each in document.authorities.values()
    )
    monkeypatch.setattr(rules, "MAX_KEYS", most)
    rules.registered_keys(document)
    monkeypatch.setattr(rules, "MAX_KEYS", most - 1)
    with pytest.raises(TrustError) as refused:
        rules.registered_keys(document)
    assert refused.value.reason == "too-many-keys"
