"""One bit flips, an end is cut off, or nothing is left, in the files beside outbox and store: refused and said, or harmless.

What cannot be seen, because another value is as good as the one that was written, is counted by itself and named in
docs/faults.md.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bus import config
from bus.bundle import file as bundle_file
from bus.cli.operator.serving import ROUTE_FILE, _route_secret
from bus.federation.ledger import Ledger
from bus.federation.plan import BrokerRole, Federation, Route
from bus.health import Facts, StateFile, judge, read_states, trust_facts
from bus.hub.picture.contacts import read_contacts
from bus.keys import valid_between
from bus.keys.certificates import certified
from bus.keys.files import (
    load_opening_key,
    load_signer,
    read_secret,
    save_opening_key,
    save_signer,
    write_secret,
)
from bus.keys.nkeys import generate, load_nkey, public_of, save_nkey
from bus.keys.signatures import FileSigner
from bus.storage import lease
from bus.transport.cursor import Anchor, Cursor, anchor
from bus.transport.streams import ConsumerSpec
from bus.transport.tls import Tls
from bus.trust import ceremony
from bus.upkeep.archive import unpacked, write_archive
from bus.upkeep.units import UnitSpec, is_unchanged, unit_text
from schemas.codec import digest
from schemas.envelope import b64u
from schemas.errors import TocsinError
from schemas.subject import Trust
from tests.faults.flips import HARMLESS, UNDETECTABLE, Case, Tally, cases, damage
from tests.support.certificates import Ca
from tests.support.sealed import opening_key
from tests.support.trust import DAY, hold, statement, version
from tests.support.world import NOW, chain, shared_world

WORLD = shared_world()
WITH_SEAL = FileSigner.generate("ES256")
POST_QUANTUM = FileSigner.generate("ML-DSA-65")
PASSPHRASE = b"correct horse"
STREAM = "XA_ACTUAL"
ROUTE = Route(
    source="xa",
    sink="east",
    consumers=(ConsumerSpec(stream=STREAM, name="to_east", filters=()),),
    patterns=("a.>", "b.>"),
)
FILTERS = ["a.>", "b.>"]
RECORDS = [
    Cursor(seq=n, digest=digest(b"%d" % n), stored_ns=1_800_000_000_000_000_000 + n) for n in range(1, 421)
]
"""What stands in the stream that the carrier reads."""
CARRIED, EACH = 400, 20
"""So many of them were carried, so many at a time; of the others it knows nothing."""
AT = 1_800_000_000.0


async def build(folder: Path) -> None:
    """Each file, as the program writes it that owns it."""
    await build_ledger(folder)
    build_keys(folder)
    build_trust(folder)
    build_settings(folder)
    build_rest(folder)


async def build_ledger(folder: Path) -> None:
    """A carrier that was killed, half of its ledger in the database and half in the log; and one that has ended."""
    live, dead = folder / "live", folder / "carrier"
    async with Ledger.open(live / "carrier.db") as ledger:
        for start in range(0, CARRIED, EACH):
            batch = RECORDS[start : start + EACH]
            stored = {each.digest: f"s{each.seq}" for each in batch}
            await ledger.note_stored("east", stored, {STREAM: batch[-1].seq}, AT)
            await ledger.note(ROUTE, STREAM, batch[-1], FILTERS, AT, passed_over="v1")
            if start == CARRIED // 2:
                await ledger.read(lambda db: db.execute("PRAGMA wal_checkpoint").fetchall())
        shutil.copytree(live, dead)
    live.rename(folder / "closed")


def build_keys(folder: Path) -> None:
    """Keys that sign, open and connect, the words that open them, and certificates."""
    save_nkey(folder / "transport.nk", WORLD.nkeys["xa-csirt"][0])
    save_signer(folder / "ed25519.pem", WORLD.signers["xa-csirt"], PASSPHRASE)
    save_signer(folder / "es256.pem", WITH_SEAL, PASSPHRASE)
    save_opening_key(folder / "seal.pem", opening_key("xa"), PASSPHRASE)
    write_secret(folder / "sign.pass", PASSPHRASE)
    write_secret(folder / ROUTE_FILE, b"0123456789abcdef" * 4)
    save_signer(folder / "ml-dsa.pem", POST_QUANTUM, PASSPHRASE)
    Ca(folder / "tls").issue("client", client=True)
    (folder / "certificate.pem").write_bytes(certificate())


def certificate() -> bytes:
    """A certificate of the key that seals, signed by itself."""
    private = WITH_SEAL.private
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seal.example")])
    made = x509.CertificateBuilder(name, name, private.public_key(), 7, NOW, NOW + 9 * DAY)
    return made.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


def build_trust(folder: Path) -> None:
    """Two versions, a beacon of the second, a statement that ends a key, and what was checked."""
    held = hold(folder / "trust", lambda: NOW)
    held.take(version(WORLD.registry))
    held.take(statement())
    held.take(ceremony.new_beacon(held(), WORLD.beacon, NOW, DAY))


def build_settings(folder: Path) -> None:
    """Settings, contacts, a federation."""
    home = folder / "home"
    home.mkdir()
    (home / "registry.tocsin.json").write_bytes(WORLD.raw)
    (home / "nkeys").mkdir()
    save_nkey(home / "nkeys" / "xa.nk", WORLD.nkeys["xa-csirt"][0])
    (home / "contacts.toml").write_text(
        '[[contact]]\nauthority = "xa-emb"\nrole = "duty desk"\n'
        'reach = ["tel:+99-555-0100", "mailto:duty@emb.xa.example"]\nconfirmed = 2027-05-01\n'
    )
    context = config.Context(
        authority="xa-csirt",
        domain="test",
        pin=WORLD.pin,
        registry=home / "registry.tocsin.json",
        server="nats://127.0.0.1:4222",
        nkey=home / "nkeys" / "xa.nk",
        contacts=home / "contacts.toml",
        state=home / "state",
        tlp="green",
        audience="community",
        heartbeat_none_s=60,
        health="127.0.0.1:9100",
    )
    config.save_context(home, "xa-csirt", context, current=True)
    members = "".join(f'[countries.{cc}]\ncarrier = "{generate()[1]}"\n' for cc in ("xa", "xb"))
    nodes = ", ".join(
        f'{{ url = "nats://127.0.0.1:{4222 + n}", route = "nats-route://127.0.0.1:{6222 + n}" }}'
        for n in range(3)
    )
    (folder / "federation.toml").write_text(f"[unions.east]\nnodes = [{nodes}]\n{members}")


def build_rest(folder: Path) -> None:
    """The state of a hub that was killed, a unit, a bundle, an archive."""
    boot, _, _, nonce = lease.owner_name().split(":")
    StateFile(folder, "hub", clock=lambda: NOW, owner=f"{boot}:{2**22 + 1}:1:{nonce}").write(Facts())
    spec = UnitSpec(
        name="tocsin-hub-xa-hub",
        description="tocsin: the hub xa-hub",
        command=("/usr/bin/env", "hub", "run"),
        writes=(Path("/var/lib/tocsin"),),
        scope="user",
    )
    (folder / "unit.service").write_text(unit_text(spec))
    out = io.BytesIO()
    opening = bundle_file.Opening(domain="test", by="xa-hub", made=NOW, to="xb-hub")
    said = [
        bundle_file.Carried(
            subject=one.subject, sig=dict(one.headers)["Tocsin-Sig"], payload=b64u(one.payload)
        )
        for one in chain(WORLD, 3)
    ]
    bundle_file.write(out, opening, [bundle_file.trust_line(Trust.REGISTRY, WORLD.raw), *said])
    (folder / "bundle").write_bytes(out.getvalue())
    files = {f"registry/{name}": folder / "trust" / name for name in TRUSTED}
    files |= {"files/nkey": folder / "transport.nk", "state/outbox.db": folder / "carrier" / "carrier.db"}
    write_archive(folder / "backup.tar", files, context="mine", settings={"authority": "xa-csirt"}, made=NOW)


TRUSTED = ("registry.tocsin.json", "registry.v2.tocsin.json", "beacon.tocsin.json")


# -- how each is read ---------------------------------------------------------------------------------------------


async def judge_killed(folder: Path) -> str:
    """The ledger of a carrier that was killed."""
    return await judge_ledger(folder / "carrier" / "carrier.db")


async def judge_ended(folder: Path) -> str:
    """The ledger of a carrier that has ended in order."""
    return await judge_ledger(folder / "closed" / "carrier.db")


async def judge_ledger(path: Path) -> str:
    """Nothing is taken for carried that was not; a cursor holds where it was, or the stream is read anew."""
    outcome = HARMLESS
    async with Ledger.open(path) as ledger:
        found = await ledger.cursor(ROUTE, STREAM, FILTERS)
        if found != RECORDS[CARRIED - 1]:
            outcome = "read again"
        if found.seq:
            there = [record for record in RECORDS if record.seq >= found.seq]
            shown = anchor(found, there[0] if there else None, delivered=0, pending=0)
            was_there = found in RECORDS[:CARRIED]
            assert was_there or shown is Anchor.GONE, f"goes on after {found}, which never was"
        known = await ledger.known("east", [record.digest for record in RECORDS])
        assert not {record.digest for record in RECORDS[CARRIED:]} & {*known}, "taken for carried"
        assert all(isinstance(each, str) for each in known.values())
        outcome = outcome if len(known) == CARRIED else "carried again"
        tails = await ledger.tails("east")
        assert all(isinstance(each, int) for each in tails.values())
        if outcome == HARMLESS and tails.get(STREAM) != CARRIED:
            outcome = "another tail"
        assert isinstance(await ledger.passed_over(ROUTE, STREAM), str)
        assert isinstance(await ledger.count("east", "d@", AT), int)
        last = RECORDS[CARRIED]
        await ledger.note_stored("east", {last.digest: "s"}, {STREAM: last.seq}, AT)
        await ledger.note(ROUTE, STREAM, last, FILTERS, AT)
        # A search in an index that is out of order may miss what stands there: it is carried again, and readers count it once.
        # The check of the whole file must say so.
        is_found = last.digest in await ledger.known("east", [last.digest])
        await ledger.database.check()
        assert is_found, "noted and not found, and the file is said to be sound"
    return outcome


async def judge_nkey(folder: Path) -> str:
    """The very key, or refused."""
    # Of its last character two bits say nothing.
    assert public_of(load_nkey(folder / "transport.nk")) == WORLD.nkeys["xa-csirt"][1]
    return HARMLESS


async def judge_route_secret(folder: Path) -> str:
    """The very secret, or refused; another secret of the same form is refused by the other nodes."""
    nodes = Federation.parse((folder / "federation.toml").read_bytes())
    found = _route_secret(folder, BrokerRole(federation=nodes, name="east", node=1))
    return HARMLESS if found == "0123456789abcdef" * 4 else f"{UNDETECTABLE}: refused by the other nodes"


def judge_signer(name: str, kid: str) -> Callable[[Path], Awaitable[str]]:
    """The very key, or refused; one that opens as another is refused by the registry, before it signs."""

    async def judged(folder: Path) -> str:
        return HARMLESS if load_signer(folder / name, PASSPHRASE).kid == kid else "not-your-key"

    return judged


async def judge_seal_key(folder: Path) -> str:
    """The very key, or refused."""
    assert load_opening_key(folder / "seal.pem", PASSPHRASE).seed == opening_key("xa").seed
    return HARMLESS


async def judge_passphrase(folder: Path) -> str:
    """The very word, or it opens nothing."""
    word = read_secret(folder / "sign.pass")
    if word == PASSPHRASE:
        return HARMLESS
    load_opening_key(folder / "seal.pem", word)
    raise AssertionError("another word opens the key")


async def judge_tls(folder: Path) -> str:
    """They fit together, or are refused; what is only in the certificate is refused by who checks it."""
    valid_between((folder / "tls" / "client.pem").read_bytes())
    Tls(
        ca=folder / "tls" / "ca.pem", cert=folder / "tls" / "client.pem", key=folder / "tls" / "client.key"
    ).context()
    return f"{UNDETECTABLE}: refused by the other end"


async def judge_certificate(folder: Path) -> str:
    """It is of the key, or refused."""
    certified(WITH_SEAL, (folder / "certificate.pem").read_bytes())
    valid_between((folder / "certificate.pem").read_bytes())
    return f"{UNDETECTABLE}: another digest of the certificate in the header"


async def judge_trust(folder: Path) -> str:
    """All of it is in force, or it is refused, or how it is is bad."""
    held = hold(folder / "trust", lambda: NOW)
    registry = held()
    ended = WORLD.signers["xa-csirt"].kid in registry.revoked()
    report = judge(Facts(trust=trust_facts(registry, NOW)), NOW)
    if report.is_bad:
        return ", ".join(sorted(each.code for each in report.conditions))
    assert registry.version == 2, "an older version, and all is well"
    assert ended, "a key that was ended counts again, and all is well"
    return HARMLESS


async def judge_settings(folder: Path) -> str:
    """The same settings, or refused; what else is read differently is refused where it leads, or cannot be seen."""
    home = folder / "home"
    sound = (home / "config.toml.sound").read_bytes()
    env = {"TOCSIN_HOME": str(home), "HOME": str(home)}
    name, context = config.load(env, folder).pick(None)
    damaged = (home / "config.toml").read_bytes()
    (home / "config.toml").write_bytes(sound)
    _, before = config.load(env, folder).pick(None)
    (home / "config.toml").write_bytes(damaged)
    was, now = msgspec.structs.asdict(before), msgspec.structs.asdict(context)
    changed = sorted(field for field in was if was[field] != now[field])
    if not changed:
        assert name == "xa-csirt"
        return HARMLESS
    hold_of(context)
    if context.nkey is not None:
        load_nkey(context.nkey)
    if context.contacts is not None:
        read_contacts(context.contacts)
    return f"{UNDETECTABLE}: {', '.join(changed)}"


def hold_of(context: config.Context) -> None:
    """What every command does with a context: its registry must stand, and know the authority."""
    from bus.cli.frame.session import defaults
    from bus.trust import RegistryStore

    held = RegistryStore(
        context.registry, pin=context.pin, domain=context.domain, beacon=context.beacon, clock=lambda: NOW
    )
    held().authority(context.authority)
    defaults(context)


async def judge_contacts(folder: Path) -> str:
    """The same, or refused, or another word in it."""
    path = folder / "home" / "contacts.toml"
    (one,) = read_contacts(path) or (None,)
    if one is not None and (one.authority, one.role, len(one.reach)) == ("xa-emb", "duty desk", 2):
        return HARMLESS
    return f"{UNDETECTABLE}: another word"


async def judge_federation(folder: Path) -> str:
    """The same, or refused, or another word in it."""
    found = Federation.parse((folder / "federation.toml").read_bytes())
    sound = Federation.parse((folder / "federation.toml.sound").read_bytes())
    return HARMLESS if found == sound else f"{UNDETECTABLE}: another word"


async def judge_state(folder: Path) -> str:
    """A hub that was killed is said to be, whatever became of its state."""
    seen, unread = read_states(folder)
    report = judge(Facts(programs=seen, unread=unread), NOW)
    assert report.is_bad, "a program was killed, and all is well"
    return ", ".join(sorted({each.code for each in report.conditions}))


async def judge_unit(folder: Path) -> str:
    """It is known as changed."""
    text = (folder / "unit.service").read_text("utf-8", "surrogateescape")
    return HARMLESS if is_unchanged(text) else "unit-changed"


async def judge_bundle(folder: Path) -> str:
    """Each line is as it was written, or the whole is refused."""
    with (folder / "bundle").open("rb") as file:
        bundle_file.check(file)
    assert (folder / "bundle").read_bytes() == (folder / "bundle.sound").read_bytes()
    return HARMLESS


async def judge_backup(folder: Path) -> str:
    """Each file in it is as it was, or the whole is refused."""
    with unpacked(folder / "backup.tar", folder) as (manifest, unpacked_to):
        assert len(manifest.members) == 5
        for name in TRUSTED:
            assert (unpacked_to / "registry" / name).read_bytes() == (folder / "trust" / name).read_bytes()
    return HARMLESS


FILES: dict[str, Callable[[Path], Awaitable[str]]] = {
    "carrier/carrier.db": judge_killed,
    "carrier/carrier.db-wal": judge_killed,
    "closed/carrier.db": judge_ended,
    "transport.nk": judge_nkey,
    ROUTE_FILE: judge_route_secret,
    "ed25519.pem": judge_signer("ed25519.pem", WORLD.signers["xa-csirt"].kid),
    "es256.pem": judge_signer("es256.pem", WITH_SEAL.kid),
    "ml-dsa.pem": judge_signer("ml-dsa.pem", POST_QUANTUM.kid),
    "seal.pem": judge_seal_key,
    "sign.pass": judge_passphrase,
    "tls/ca.pem": judge_tls,
    "tls/client.pem": judge_tls,
    "tls/client.key": judge_tls,
    "certificate.pem": judge_certificate,
    "trust/registry.tocsin.json": judge_trust,
    "trust/registry.v2.tocsin.json": judge_trust,
    "trust/beacon.tocsin.json": judge_trust,
    "trust/registry.checked": judge_trust,
    "trust/revocations": judge_trust,
    "home/config.toml": judge_settings,
    "home/contacts.toml": judge_contacts,
    "federation.toml": judge_federation,
    "health/hub.json": judge_state,
    "unit.service": judge_unit,
    "bundle": judge_bundle,
    "backup.tar": judge_backup,
}


async def outcome_of(sound: Path, folder: Path, name: str, case: Case) -> str:
    """What comes of one damage."""
    shutil.copytree(sound, folder)
    path = folder / name
    if path.is_dir():
        (path,) = path.iterdir()
    shutil.copyfile(path, path.with_name(f"{path.name}.sound"))
    damage(path, case, name)
    try:
        return await FILES[name](folder)
    except TocsinError as exc:
        assert str(exc)
        return exc.reason


async def tried(folder: Path, name: str, tally: Tally, bits: int, cuts: int) -> None:
    """Damages of one file, each from the beginning."""
    sound = folder / "sound"
    if not sound.exists():
        sound.mkdir()
        await build(sound)
    for case in cases(bits, cuts):
        try:
            outcome = await outcome_of(sound, folder / "damaged", name, case)
            must_be_known(name, outcome)
            tally.add(name, outcome)
        except Exception as exc:
            raise AssertionError(f"{name}, {case}: {exc!r}") from exc
        finally:
            shutil.rmtree(folder / "damaged", ignore_errors=True)


REFUSALS: dict[str, set[str]] = {
    "carrier.db": {
        *("store-corrupt", "store-layout", "store-unreadable", "carried again", "read again"),
        "store-failed",  # another letter in the name of a column
    },
    "carrier.db-wal": {"store-corrupt", "carried again", "read again", "another tail"},
    "nk": {"key-malformed"},
    "secret": {"key-malformed"},
    "pass": {"key-malformed", "wrong-passphrase"},
    "config.toml": {
        *(
            "config-malformed",
            "config-unreadable",
            "unknown-context",
            "no-context",
            "file-missing",
            "key-missing",
        ),
        *("pin", "domain", "unknown-authority"),
    },
    "contacts.toml": {"config-malformed"},
    "federation.toml": {"federation-file"},
    "hub.json": {"state-unreadable", "program-died"},
    "unit.service": {"unit-changed"},
    "bundle": {"malformed-bundle", "bundle-damaged", "bundle-truncated", "empty"},
    "backup.tar": {"malformed-backup", "backup-digest"},
    "registry.tocsin.json": {"malformed-registry", "pin", "threshold"},
    "registry.v2.tocsin.json": {"trust-behind"},
    "beacon.tocsin.json": {"trust-stale"},
    "revocations": {"revocation-not-in-force"},
    "ca.pem": {"tls-file"},
    "client.pem": {"tls-file", "unsupported-key"},
    "client.key": {"tls-file"},
    "certificate.pem": {"unsupported-key", "not-your-key"},
    "seal.pem": {"key-malformed", "wrong-passphrase", "weak-kdf", "key-not-encrypted", "unsupported-key"},
}
"""With which reasons a damage may be refused, by the end of a file's name; `again` is what a carrier does anew."""
SEEN_ELSEWHERE: dict[str, set[str]] = {
    ROUTE_FILE: {"refused by the other nodes"},
    "tls/ca.pem": {"refused by the other end"},
    "tls/client.pem": {"refused by the other end"},
    "tls/client.key": {"refused by the other end"},
    "certificate.pem": {"another digest of the certificate in the header"},
    "home/contacts.toml": {"another word"},
    "federation.toml": {"another word"},
    "home/config.toml": {"server", "state", "health", "audience", "tlp", "heartbeat_none_s", "contacts"},
}
"""What no look at the file itself can see; docs/faults.md says what becomes of each."""


def must_be_known(name: str, outcome: str) -> None:
    """Each outcome is one that docs/faults.md tells of."""
    if outcome == HARMLESS:
        return
    kind, _, what = outcome.partition(": ")
    if kind == UNDETECTABLE:
        assert what in SEEN_ELSEWHERE.get(name, set()), f"{name}: {outcome}"
        return
    end = name.rpartition("/")[2]
    known = REFUSALS.get(end) or REFUSALS.get(end.rpartition(".")[2])
    if known is None:
        known = REFUSALS["seal.pem"] | {"not-your-key"}
    assert outcome in known, f"{name}: {outcome}"


async def test_what_is_whole_is_taken(tmp_path: Path) -> None:
    """Each judge finds nothing in the file as it was written."""
    sound = tmp_path / "sound"
    sound.mkdir()
    await build(sound)
    for path in (sound / "home" / "config.toml", sound / "federation.toml", sound / "bundle"):
        shutil.copyfile(path, path.with_name(f"{path.name}.sound"))
    # A judge of several files looks once: one of them writes into what it judges.
    for judged, name in {judged: name for name, judged in FILES.items()}.items():
        outcome = await judged(sound)
        if name == "health/hub.json":
            assert outcome == "program-died"
        else:
            assert outcome.partition(":")[0] in (HARMLESS, UNDETECTABLE), name


@pytest.mark.parametrize("name", FILES)
async def test_a_damaged_file_is_refused_and_said_or_harmless(tmp_path: Path, name: str) -> None:
    """Four bits, a cut, and the empty file."""
    tally = Tally()
    await tried(tmp_path, name, tally, 4, 1)
    assert tally.total(name) == 6


SLOW = {"ed25519.pem": 40, "es256.pem": 40, "ml-dsa.pem": 40, "seal.pem": 40, "sign.pass": 30}
"""Opening these costs a third of a second each time."""


@pytest.mark.faults
@pytest.mark.parametrize("name", FILES)
async def test_many_damages_of_a_file_are_refused_and_said_or_harmless(
    tmp_path: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    """The long form; what came of them stands in the report of pytest."""
    tally = Tally()
    bits = SLOW.get(name, 400)
    await tried(tmp_path, name, tally, bits, bits // 20)
    record_property("damages", tally.table())
    assert tally.total(name) == bits + bits // 20 + 1
