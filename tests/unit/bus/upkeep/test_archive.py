"""An archive: what goes in comes out, and nothing hostile does."""

from __future__ import annotations

import datetime as dt
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.upkeep import archive as archives
from bus.upkeep.archive import MANIFEST, BackupError, Manifest, Member, unpacked, write_archive
from tests.support.world import NOW

FILES = {
    "state/outbox.db": b"o" * 70_000,
    "registry/registry.tocsin.json": b"{}",
    "files/nkey": b"",
    "seal/2027.pem": b"x" * 512,
}


def make(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    """An archive of these files."""
    sources = {}
    for number, (name, data) in enumerate((FILES if files is None else files).items()):
        sources[name] = folder / f"source-{number}"
        sources[name].write_bytes(data)
    path = folder / "one.tar"
    write_archive(path, sources, context="mine", settings={"authority": "xa-csirt"}, made=NOW)
    return path


def read(path: Path, folder: Path, **more: Any) -> dict[str, bytes]:
    """The content of an archive."""
    with unpacked(path, folder, **more) as (manifest, place):
        return {member.name: (place / member.name).read_bytes() for member in manifest.members}


def refused(raw: bytes, folder: Path) -> str:
    """The reason why an archive is refused; nothing is left of it."""
    path = folder / "hostile.tar"
    path.write_bytes(raw)
    place = folder / "place"
    place.mkdir(exist_ok=True)
    with pytest.raises(BackupError) as said:
        read(path, place)
    assert list(place.iterdir()) == []
    return said.value.reason


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    """To the byte; it is for its owner alone, and any tar reads it."""
    path = make(tmp_path)
    assert read(path, tmp_path) == FILES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        assert tar.getnames() == [MANIFEST, *sorted(FILES)]
        assert all(entry.isreg() for entry in tar)


def test_the_same_files_make_the_same_archive(tmp_path: Path) -> None:
    """The order of their names makes no difference."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    backwards = dict(reversed(FILES.items()))
    assert make(tmp_path / "a").read_bytes() == make(tmp_path / "b", backwards).read_bytes()


def test_a_digest_from_elsewhere_is_compared_first(tmp_path: Path) -> None:
    """Only the digest that `write_archive` returned opens it."""
    source = tmp_path / "source"
    source.write_bytes(b"x")
    path = tmp_path / "one.tar"
    sha256 = write_archive(path, {"files/nkey": source}, context="mine", settings={}, made=NOW)
    assert read(path, tmp_path, sha256=sha256.upper()) == {"files/nkey": b"x"}
    with pytest.raises(BackupError) as said:
        read(path, tmp_path, sha256="0" * 64)
    assert said.value.reason == "backup-digest"


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    """This holds for a bit at any place."""
    folder = tmp_path_factory.mktemp("flip")
    raw = bytearray(make(folder, {"files/nkey": b"secret", "state/audit.jsonl": b"y" * 1000}).read_bytes())
    raw[place % len(raw)] ^= 1 << bit
    assert refused(bytes(raw), folder) in ("malformed-backup", "backup-digest", "backup-room")


@pytest.mark.parametrize("left", [0, 1, 511, 512, 600, 1024, 5000])
def test_what_was_cut_off_is_found(tmp_path: Path, left: int) -> None:
    """This holds for a cut at any place before the empty end of the tar."""
    assert refused(make(tmp_path).read_bytes()[:left], tmp_path) in ("malformed-backup", "backup-digest")


# -- hostile ones ---------------------------------------------------------------------------------------------------


def entry(name: str, data: bytes = b"", **changes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One member as it is written, with changes."""
    made = archives._entry(name, len(data), NOW)
    for field, value in changes.items():
        setattr(made, field, value)
    return made, data


def listing(*names: str, data: bytes = b"", **changes: Any) -> bytes:
    """A list that names these members."""
    import hashlib

    members = tuple(
        Member(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name in names
    )
    made = Manifest(spec=archives.SPEC, made=NOW, context="mine", settings={}, members=members)
    return archives.listing_of(msgspec.json.encode({**msgspec.to_builtins(made), **changes}))


def tar_of(
    manifest: bytes, *entries: tuple[tarfile.TarInfo, bytes], format_: int = tarfile.GNU_FORMAT
) -> bytes:
    """A tar file as another program may make it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for made, data in (entry(MANIFEST, manifest), *entries):
            tar.addfile(made, io.BytesIO(data))
    return out.getvalue()


ONE = "files/nkey"
NAMES = [
    "../../etc/cron.d/evil",
    "/etc/passwd",
    "state/../../outside",
    "state/outbox.db/../x",
    "files/passphrase_file",
    "state/store.db-wal",
    "seal/.hidden.pem",
    "seal/../x.pem",
    "registry/registry.v0.tocsin.json",
    "registry/soundness",
    "files/nkey\n",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_belongs_to_no_backup_is_refused(tmp_path: Path, name: str) -> None:
    """This holds for any content of the tar."""
    assert refused(tar_of(listing(name), entry(name or "x")), tmp_path) == "malformed-backup"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a link": lambda: tar_of(listing(ONE), entry(ONE, type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a hard link": lambda: tar_of(listing(ONE), entry(ONE, type=tarfile.LNKTYPE, linkname="manifest.json")),
    "a device": lambda: tar_of(listing(ONE), entry(ONE, type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "a pipe": lambda: tar_of(listing(ONE), entry(ONE, type=tarfile.FIFOTYPE)),
    "a folder": lambda: tar_of(listing(ONE), entry(ONE, type=tarfile.DIRTYPE)),
    "another mode": lambda: tar_of(listing(ONE), entry(ONE, mode=0o4755)),
    "another owner": lambda: tar_of(listing(ONE), entry(ONE, uid=1000)),
    "a name twice": lambda: tar_of(listing(ONE, ONE), entry(ONE), entry(ONE)),
    "one more than is listed": lambda: tar_of(listing(ONE), entry(ONE), entry("files/key")),
    "one less": lambda: tar_of(listing(ONE, "files/key"), entry(ONE)),
    "another order": lambda: tar_of(listing(ONE, "files/key"), entry("files/key"), entry(ONE)),
    "no list": lambda: tar_of(b""),
    "a list that is none": lambda: tar_of(b"[]"),
    "a list of another form": lambda: tar_of(listing(spec="tocsin-backup/9")),
    "a list with a name that is none": lambda: tar_of(listing(context="../x")),
    "a list without a time zone": lambda: tar_of(listing(made="2027-05-23T18:00:00")),
    "a size that nobody has": lambda: tar_of(
        listing(members=[{"name": "state/store.db", "size": 1 << 62, "sha256": "0" * 64}])
    ),
    "a file that is too large": lambda: tar_of(
        listing(members=[{"name": ONE, "size": archives.MAX_FILE_BYTES + 1, "sha256": "0" * 64}])
    ),
    "a store that no disk holds": lambda: tar_of(
        listing(members=[{"name": "state/store.db", "size": archives.MAX_STORE_BYTES, "sha256": "0" * 64}])
    ),
    "a negative size": lambda: tar_of(listing(members=[{"name": ONE, "size": -1, "sha256": "0" * 64}])),
    "further headers": lambda: tar_of(
        listing(ONE), entry(ONE, pax_headers={"path": "/etc/passwd"}), format_=tarfile.PAX_FORMAT
    ),
    "something between members": lambda: tar_of(listing(ONE), entry(ONE)).replace(
        b"}" + b"\0", b"}" + b"!", 1
    ),
    "something at the end": lambda: tar_of(listing(ONE), entry(ONE)) + b"!",
    "no tar": lambda: b"SQLite format 3\0" + bytes(5000),
    "nothing": lambda: b"",
    "zeros": lambda: bytes(20_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str) -> None:
    """With a reason, and nothing of it is left on the disk."""
    assert refused(HOSTILE[name](), tmp_path) in ("malformed-backup", "backup-room")


def test_a_packed_archive_is_none(tmp_path: Path) -> None:
    """Nothing is decompressed, so no file grows."""
    import gzip

    assert refused(gzip.compress(make(tmp_path).read_bytes()), tmp_path) == "malformed-backup"


def test_a_whole_one_made_by_hand_is_read(tmp_path: Path) -> None:
    """So the refusals above have the reasons that they name."""
    path = tmp_path / "hand.tar"
    path.write_bytes(tar_of(listing(ONE, data=b"x"), entry(ONE, b"x")))
    assert read(path, tmp_path) == {ONE: b"x"}
    assert NOW.tzinfo is dt.UTC


def test_a_list_without_bottom_is_refused(tmp_path: Path) -> None:
    """However deep it goes."""
    for listed in (archives.listing_of(b"[" * 200_000 + b"]" * 200_000), b"[" * 200_000):
        raw = archives._header(MANIFEST, len(listed), NOW) + listed + bytes(-len(listed) % 512)
        assert refused(raw, tmp_path) == "malformed-backup"
