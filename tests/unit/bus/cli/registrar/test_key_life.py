"""The life of keys by command: rotate, revoke, export, accept, as people type them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest

from bus.keys.signatures import FileSigner
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.envelope import SIG_HEADER, file_form
from tests.support.office import Desk, Office
from tests.support.sealed import opening_key, seal_record
from tests.support.world import World, bulletin, key_record, make_world, sign, signed_registry

FILE = "registry.tocsin.json"
SPARE = FileSigner.generate()
SEAL = opening_key("xa-csirt").public


@pytest.fixture
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Office:
    """A folder with that registry, its root keepers' keys and one new key."""
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / FILE).write_bytes(world.raw)
    for name, signer in zip(("root-a", "root-b", "root-c"), world.roots, strict=True):
        made.hold(name, signer)
    made.hold("new", FileSigner.generate())
    return made


def signed(office: Office, root: str) -> str:
    """What a keeper reads after signing."""
    key = ("--key", f"{root}.pem", "--passphrase-file", f"{root}.pass")
    found: str = json.loads(office.run("registry", "sign", FILE, *key, "--json"))["text"]
    return found


def version(office: Office) -> int:
    """The version that stands on top of the one before it."""
    found = json.loads(
        office.run("registry", "verify", FILE, "--previous", "registry.v1.tocsin.json", "--json")
    )
    return int(found["version"])


def keys_of(office: Office, authority: str) -> dict[str, dict[str, str]]:
    """The keys in an authority's record."""
    found: dict[str, dict[str, str]] = json.loads(
        office.run("registry", "show", FILE, "--authority", authority, "--json")
    )["keys"]
    return found


def test_a_key_rotates_with_an_overlap(office: Office, world: World) -> None:
    """The proposal keeps the version before it beside it, and the keepers are told what is missing."""
    told = json.loads(
        office.run(
            "registry", "rotate", FILE, "xa-csirt", "--key", "new.jwk", "--overlap-days", "7", "--json"
        )
    )
    old = world.signers["xa-csirt"].kid
    assert old in told["text"]
    assert "tocsin registry sign" in told["text"]
    found = keys_of(office, "xa-csirt")
    new = json.loads((office.folder / "new.jwk").read_text())["kid"]
    assert found.keys() == {old, new}
    assert (
        dt.datetime.fromisoformat(found[old]["not_after"])
        - dt.datetime.fromisoformat(found[new]["not_before"])
    ).days == 7
    assert "needs 1 more of root and 1 more of the root before it" in signed(office, "root-a")
    assert signed(office, "root-b").endswith("it stands")
    assert version(office) == 2


def test_a_reserve_key_ends_no_other_and_transport_keys_are_replaced(office: Office, world: World) -> None:
    """What an authority needs before and after a theft: a key beside the one it has, and another way in."""
    before = keys_of(office, "xa-csirt")
    nkey = office.run("key", "new", "--transport", "new.nk").strip()
    rotate = ("registry", "rotate", FILE, "xa-csirt")
    told = office.run(*rotate, "--key", "new.jwk", "--beside", "--nkey", nkey, "--json")
    assert "replaces none" in told
    after = keys_of(office, "xa-csirt")
    assert {kid: after[kid] for kid in before} == before
    assert after.keys() - before.keys() == {json.loads((office.folder / "new.jwk").read_text())["kid"]}
    shown = json.loads(office.run("registry", "show", FILE, "--authority", "xa-csirt", "--json"))
    assert shown["nkeys"] == [nkey]
    assert "[shared-key]" in office.run(*rotate, "--key", "new.jwk", "--beside", code=6)
    assert "--beside" in office.run(*rotate, "--nkey", nkey, "--beside", code=2)
    assert office.run("registry", "rotate", FILE, "--nkey", nkey, code=2)


def test_roots_rotate_only_under_both_quorums(office: Office) -> None:
    """The new set alone does not make it stand, and no further change is built on what does not stand."""
    change = ("--root", "root-b.jwk", "--root", "root-c.jwk", "--root", "new.jwk", "--threshold", "2")
    assert "1 new, 1 removed" in json.loads(office.run("registry", "rotate", FILE, *change, "--json"))["text"]
    signed(office, "new")
    assert "needs 1 more of the root before it" in signed(office, "root-b")
    office.run("registry", "verify", FILE, "--previous", "registry.v1.tocsin.json", code=6)
    assert "too few" in office.run("registry", "export", FILE, "--jwks", code=6)
    assert signed(office, "root-a").endswith("it stands")
    assert version(office) == 2
    office.run("registry", "rotate", FILE, "xa-csirt", "--key", "root-a.jwk")
    assert "no root key" in office.run(
        "registry", "sign", FILE, "--key", "root-a.pem", "--passphrase-file", "root-a.pass", code=2
    )


def test_adding_again_drops_nothing_but_by_word(office: Office, world: World) -> None:
    """With --replace the record begins anew, and what it had is said."""
    again = ("registry", "add", FILE, "xa-csirt", "--name", "A", "--kind", "csirt", "--domain", "cyber", "--country", "XA")  # fmt: skip
    assert keys_of(office, "xa-csirt")
    office.run(*again, "--key", "new.jwk", "--replace")
    assert world.signers["xa-csirt"].kid not in keys_of(office, "xa-csirt")


def test_an_officer_is_told_what_revoking_does_and_must_say_yes(office: Office, world: World) -> None:
    """Without a terminal the missing flag is named; nothing is written before the yes."""
    before = (office.folder / FILE).read_bytes()
    said = office.run("registry", "revoke", FILE, "xa-csirt", "--no-input", code=2)
    for words in ("--yes", "cannot be undone", "no usable key", world.signers["xa-csirt"].kid):
        assert words in said
    assert (office.folder / FILE).read_bytes() == before
    office.run("registry", "revoke", FILE, "xa-csirt", "--yes", "--reason", "key-lost")
    ((kid, record),) = keys_of(office, "xa-csirt").items()
    assert (kid, record["revoked_for"]) == (world.signers["xa-csirt"].kid, "key-lost")
    signed(office, "root-a")
    signed(office, "root-c")
    assert version(office) == 2
    exported = json.loads(office.run("registry", "export", FILE, "--jwks"))["keys"]
    assert "xa-csirt" not in {each["tocsin_authority"] for each in exported}
    assert all({"kid", "alg", "use", "nbf", "exp", "x", "kty"} <= each.keys() for each in exported)


@pytest.fixture
def member(office: Office, world: World) -> Office:
    """The same folder, as xa-csirt and another reader have it, with two keys of xa-csirt and a bulletin by the first."""
    both = {each.kid: key_record(each, world.now) for each in (world.signers["xa-csirt"], SPARE)}
    document = ceremony.next_version(
        world.registry.document, world.registry.digest, world.now, dt.timedelta(days=90)
    )
    sealing = {SEAL.kid: seal_record(SEAL, world.now)}
    record = msgspec.structs.replace(document.authorities["xa-csirt"], keys=both, seal_keys=sealing)
    raw = signed_registry(proposals.add_authority(document, "xa-csirt", record), world.roots)
    (office.folder / "held.tocsin.json").write_bytes(raw)
    office.hold("first", world.signers["xa-csirt"])
    office.hold("spare", SPARE)
    message = sign(world, bulletin(world))
    (office.folder / "case.tocsin.json").write_bytes(
        file_form(message.payload, dict(message.headers)[SIG_HEADER])
    )
    pin = VerifiedRegistry.open(raw).digest
    for name in ("xa-csirt", "xa-hub"):
        office.run(
            "context", "add", name, "--authority", name, "--domain", "test", "--pin", pin, "--registry", "held.tocsin.json",
            "--key", "first.pem", "--passphrase-file", "first.pass", "--use",
        )  # fmt: skip
    return office


def test_an_authority_ends_its_own_key_alone(member: Office, world: World) -> None:
    """Made, taken in, in force after a restart, and carried into the next version, which does not mention it."""
    stolen = world.signers["xa-csirt"].kid
    member.run("verify", "case.tocsin.json")
    by = ("--key", "spare.pem", "--passphrase-file", "spare.pass", "--out", "end.tocsin.json")
    revoke = ("--context", "xa-csirt", "key", "revoke", *by)
    assert "say which" in member.run(*revoke, code=2)
    assert "--yes" in member.run(*revoke, "--kid", stolen, code=2)
    assert not (member.folder / "end.tocsin.json").exists()
    member.run(*revoke, "--kid", stolen, "--yes")
    member.run("verify", "case.tocsin.json")
    assert stolen in json.loads(member.run("registry", "accept", "end.tocsin.json", "--json"))["text"]
    assert (
        "nothing changes" in json.loads(member.run("registry", "accept", "end.tocsin.json", "--json"))["text"]
    )
    assert "key-revoked" in member.run("verify", "case.tocsin.json", code=6)
    exported = json.loads(member.run("registry", "export", "--jwks"))["keys"]
    assert [each["kid"] for each in exported if each["tocsin_authority"] == "xa-csirt"] == [SPARE.kid]
    member.run("registry", "rotate", "held.tocsin.json", "xb-csirt", "--key", "new.jwk", "--out", FILE)
    signed(member, "root-a")
    signed(member, "root-b")
    told = json.loads(member.run("registry", "accept", FILE, "--json"))["text"]
    assert "version 3 is now the registry of xa-csirt, xa-hub" in told
    assert json.loads(member.run("registry", "verify", "--json"))["version"] == 3
    assert "key-revoked" in member.run("--context", "xa-csirt", "verify", "case.tocsin.json", code=6)
    assert "holds it already" in json.loads(member.run("registry", "accept", FILE, "--json"))["text"]
    assert "rollback" in member.run("registry", "accept", "held.tocsin.json", code=6)


def test_a_registrars_next_version_remembers_what_a_statement_has_ended(member: Office, world: World) -> None:
    """Whatever it is about; the registrar is told, and may say another moment. Who begins with that version knows of it."""
    stolen = world.signers["xa-csirt"].kid
    by = ("--key", "spare.pem", "--passphrase-file", "spare.pass", "--out", "end.tocsin.json")
    member.run("--context", "xa-csirt", "key", "revoke", *by, "--kid", stolen, "--yes")
    rotate = (
        "registry",
        "rotate",
        "held.tocsin.json",
        "xb-csirt",
        "--key",
        "new.jwk",
        "--out",
        FILE,
        "--json",
    )
    assert stolen not in member.run(*rotate)
    member.run("registry", "accept", "end.tocsin.json")
    told = json.loads(member.run(*rotate))["text"]
    assert f"because statements revoke them: {stolen} since " in told
    assert keys_of(member, "xa-csirt")[stolen]["revoked_since"]
    earlier = f"{world.now - dt.timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    revoke = ("registry", "revoke", FILE, "xa-csirt", "--kid", stolen, "--since", earlier, "--yes", "--json")
    assert "statements" not in json.loads(member.run(*revoke))["text"]
    assert keys_of(member, "xa-csirt")[stolen]["revoked_since"] == earlier


def test_an_authority_ends_its_own_seal_key(member: Office) -> None:
    """Named, for it is not the one that signs; the officer is told what that does, and every reader takes it in."""
    revoke = ("--context", "xa-csirt", "key", "revoke", "--kid", SEAL.kid, "--out", "end.tocsin.json")
    told = member.run(*revoke, code=2)
    assert "(a seal key)" in told
    assert "is admitted" not in told
    member.run(*revoke, "--yes")
    taken = [json.loads(member.run("registry", "accept", "end.tocsin.json", "--json"))["text"] for _ in "12"]
    assert SEAL.kid in taken[0]
    assert "nothing changes" in taken[1]
    member.run("verify", "case.tocsin.json")
    assert "already" in member.run(*revoke[:-1], "again.tocsin.json", "--yes", code=2)


def test_a_registrar_takes_a_version_made_in_place(member: Office) -> None:
    """The context's own file was covered by the next version; the one before lies beside it."""
    member.run("registry", "rotate", "held.tocsin.json", "xb-csirt", "--key", "new.jwk")
    assert "no signature" in member.run("verify", "case.tocsin.json", code=6)
    for root in ("root-a", "root-b"):
        member.run(
            "registry",
            "sign",
            "held.tocsin.json",
            "--key",
            f"{root}.pem",
            "--passphrase-file",
            f"{root}.pass",
        )
        member.run("registry", "accept", "held.tocsin.json", code=6 if root == "root-a" else 0)
    member.run("verify", "case.tocsin.json")


def test_a_statement_is_written_only_if_it_counts(member: Office, world: World) -> None:
    """By the registry in a file, with a key of the authority it speaks for."""
    by = ("--statement", "end.tocsin.json", "--key", "first.pem", "--passphrase-file", "first.pass", "--yes")
    base = ("registry", "revoke", "held.tocsin.json")
    other = world.signers["xb-csirt"].kid
    for arguments, words in (
        (("xb-csirt", "--kid", other), "not-your-key"),
        (("xa-csirt", "--kid", other), "not-your-key"),
        (("xa-csirt", "--kid", SPARE.kid, "--since", "2999-01-01T00:00:00Z"), "from-the-future"),
    ):
        assert words in member.run(*base, *arguments, *by, code=6)
    assert "go together" in member.run(*base, "xa-csirt", *by[:2], code=2)
    assert not (member.folder / "end.tocsin.json").exists()
    member.run(*base, "xa-csirt", "--kid", SPARE.kid, *by)
    member.run("registry", "accept", "end.tocsin.json")
    kept = next((member.folder / "revocations").iterdir())
    kept.write_bytes(kept.read_bytes()[:-40])
    assert "take it in again" in member.look("verify", "case.tocsin.json").err
    member.run("registry", "accept", "end.tocsin.json")
    assert "take it in again" not in member.look("verify", "case.tocsin.json").err


def test_who_has_no_key_has_none_to_revoke(office: Office, world: World) -> None:
    """One sentence, and the registry as it was."""
    document = world.registry.document
    silent = msgspec.structs.replace(document.authorities["xa-hub"], keys={})
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-hub": silent})
    raw = signed_registry(document, world.roots[:2])
    (office.folder / FILE).write_bytes(raw)
    assert "no key" in office.run("registry", "revoke", FILE, "xa-hub", "--yes", code=2)
    assert (office.folder / FILE).read_bytes() == raw


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("rotate", FILE), 2, "AUTHORITY and --key or --nkey"),
        (("rotate", FILE, "xa-csirt"), 2, "go together"),
        (("rotate", FILE, "xa-nobody", "--key", "new.jwk"), 6, "unknown-authority"),
        (("rotate", FILE, "--threshold", "9"), 6, "unreachable-threshold"),
        (("revoke", FILE, "xa-nobody", "--yes"), 6, "unknown-authority"),
        (("revoke", FILE, "xa-csirt", "--yes", "--kid", "A"), 6, "unknown-key"),
        (("revoke", FILE, "xa-csirt", "--yes", "--since", "yesterday"), 5, "yesterday"),
        (("revoke", FILE, "xa-csirt", "--yes", "--since", "2999-01-01T00:00:00Z"), 6, "from-the-future"),
        (("revoke", FILE, "xa-csirt", "--yes", "--reason", "boredom"), 2, "key-compromise"),
        (("export", FILE), 2, "--jwks"),
        (
            (
                "add",
                FILE,
                "xa-csirt",
                "--name",
                "x",
                "--kind",
                "csirt",
                "--domain",
                "cyber",
                "--country",
                "XA",
            ),
            2,
            "registry grant",
        ),
    ],
    ids=lambda value: " ".join(value[:1] + value[2:]) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_says_what_is_wrong(
    office: Office, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """One sentence, the documented exit code, and the registry as it was."""
    before = (office.folder / FILE).read_bytes()
    assert words in office.run("registry", *arguments, code=code)
    assert (office.folder / FILE).read_bytes() == before
