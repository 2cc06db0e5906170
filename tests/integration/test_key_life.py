"""The life of keys by command: rotate, revoke, export, as an operator types them."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from bus.signing import FileSigner
from tests.office import Office
from tests.worlds import World, make_world

FILE = "registry.tocsin.json"
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def office(tmp_path: Path, world: World) -> Office:
    """A folder with that registry, its root keepers' keys and one new key."""
    made = Office(tmp_path)
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


def test_an_officer_is_told_what_revoking_does_and_must_say_yes(office: Office, world: World) -> None:
    """Without a terminal the missing flag is named; nothing is written before the yes."""
    before = (office.folder / FILE).read_bytes()
    said = office.run("registry", "revoke", FILE, "xa-csirt", "--no-input", code=2)
    for words in ("--yes", "cannot be taken back", "without a usable key", world.signers["xa-csirt"].kid):
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


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("rotate", FILE), 2, "AUTHORITY and --key"),
        (("rotate", FILE, "xa-csirt"), 2, "go together"),
        (("rotate", FILE, "xa-nobody", "--key", "new.jwk"), 6, "unknown-authority"),
        (("rotate", FILE, "--threshold", "9"), 6, "unreachable-threshold"),
        (("revoke", FILE, "xa-nobody", "--yes"), 6, "unknown-authority"),
        (("revoke", FILE, "xa-csirt", "--yes", "--kid", "A"), 6, "unknown-key"),
        (("revoke", FILE, "xa-hub", "--yes"), 2, "no key"),
        (("revoke", FILE, "xa-csirt", "--yes", "--since", "yesterday"), 5, "yesterday"),
        (("revoke", FILE, "xa-csirt", "--yes", "--since", "2999-01-01T00:00:00Z"), 6, "from-the-future"),
        (("revoke", FILE, "xa-csirt", "--yes", "--reason", "boredom"), 2, "key-compromise"),
        (("export", FILE), 2, "--jwks"),
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
