"""`registry audience|join|leave|grant --read` in a registry of sixty authorities: what changes is shown, nothing else does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest

from bus.keys import nkeys, thumbprint
from bus.keys.signatures import FileSigner
from bus.trust import ceremony, proposals, roles
from schemas.registry import AuthorityRecord, PublishGrant, ReadGrant, Registry
from schemas.vocab import Domain, Scope, Status, Tlp
from tests.support.office import Desk, Office
from tests.support.world import World, key_record, make_world, signed_registry

FILE = "registry.tocsin.json"
NETWORK = "xa-election-network"
SIXTY = tuple(f"{country}-office{n:02}" for country in ("xa", "xb", "xc") for n in range(20))


def sixty(world: World) -> Registry:
    """A first version with sixty authorities of three countries, each with a key, a transport key and two grants."""
    document = world.registry.document
    document = msgspec.structs.replace(document, authorities={})
    for name in SIXTY:
        key = key_record(FileSigner.generate(), world.now)
        record = AuthorityRecord(
            name=f"Office {name}",
            kind="emb",
            domain=Domain.ELECTORAL,
            country=name[:2].upper(),
            keys={thumbprint(key.jwk): key},
            nkeys=(nkeys.generate()[1],),
            publish=(
                PublishGrant(
                    statuses=(Status.ACTUAL,),
                    tlps=(Tlp.GREEN,),
                    audiences=("community",),
                    kinds=("election-incident",),
                    areas=("*",),
                ),
            ),
            read=(ReadGrant(statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("community",)),),
        )
        document = proposals.add_authority(document, name, record, member_of=("community",))
    document = proposals.set_audience(document, NETWORK, Scope.NATIONAL)
    for name in SIXTY[:3]:
        document = proposals.join(document, name, NETWORK)
    return document


@pytest.fixture(scope="module")
def founded() -> tuple[World, bytes]:
    """The world whose roots sign it, and that first version."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    document = sixty(world)
    audiences = {
        name: msgspec.structs.replace(one, members=tuple(m for m in one.members if m in SIXTY))
        for name, one in document.audiences.items()
    }
    document = msgspec.structs.replace(document, audiences=audiences)
    return world, signed_registry(document, world.roots[:2])


@pytest.fixture
def office(founded: tuple[World, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A folder with that registry and the keys of two root keepers."""
    world, raw = founded
    made = Desk(tmp_path, monkeypatch)
    (made.folder / FILE).write_bytes(raw)
    for name, signer in zip(("root-a", "root-b"), world.roots[:2], strict=True):
        made.hold(name, signer)
    return made


def held(office: Office) -> Registry:
    """The document as it stands in the file."""
    return ceremony.document_of((office.folder / FILE).read_bytes())


BETWEEN_VERSIONS = {"version", "prev", "issued", "expires"}


def changed(office: Office, *command: str) -> list[dict[str, str]]:
    """What a command says that it changed, beside what each next version has anew."""
    told = json.loads(office.run("registry", *command, "--json"))
    return [each for each in told["changes"] if each["place"] not in BETWEEN_VERSIONS]


def without_versions(document: Registry) -> dict[str, object]:
    """A document but for what each next version has anew."""
    found: dict[str, object] = msgspec.to_builtins(document)
    return {name: value for name, value in found.items() if name not in BETWEEN_VERSIONS}


def test_who_joins_is_all_that_changes(office: Office) -> None:
    """Sixty authorities with their keys and grants stay as they are; the difference is one line."""
    before = held(office)
    found = changed(office, "join", FILE, "xa-office07", NETWORK)
    assert found == [{"place": f"audiences.{NETWORK}.members", "new": '"xa-office07"'}]
    after = held(office)
    expected = proposals.join(before, "xa-office07", NETWORK)
    assert without_versions(after) == without_versions(expected)
    assert after.authorities == before.authorities
    assert len(after.authorities) == 60


def test_a_grant_without_kinds_names_those_of_its_role(office: Office) -> None:
    """No grant that is proposed has a `*` for kinds, and what another role says is not among them."""
    found = changed(office, "grant", FILE, "xa-office07", "--publish", "green:community")
    kinds = [kind for each in found for kind in json.loads(each["new"])["kinds"]]
    assert "*" not in kinds
    assert set(roles.said_by(held(office).authorities["xa-office07"].kind)) <= set(kinds)


def test_the_difference_is_shown_as_lines(office: Office) -> None:
    """For a person: a sign, the place, the value."""
    out = office.run("registry", "join", FILE, "xa-office07", NETWORK)
    assert f'+ audiences.{NETWORK}.members "xa-office07"' in out.splitlines()
    assert "- version 1" in out.splitlines()
    assert "+ version 2" in out.splitlines()


def test_a_member_is_granted_to_read_and_the_result_stands(office: Office) -> None:
    """Joined, granted, signed by two: `sign` says that it stands, and `verify` agrees."""
    before = held(office)
    changed(office, "join", FILE, "xa-office07", NETWORK)
    found = changed(office, "grant", FILE, "xa-office07", "--read", f"amber+strict:{NETWORK}")
    ((place, new),) = ((each["place"], json.loads(each["new"])) for each in found)
    assert place == "authorities.xa-office07.read"
    assert (new["tlps"], new["audiences"]) == (["amber+strict"], [NETWORK])
    after = held(office)
    was, now = before.authorities["xa-office07"], after.authorities["xa-office07"]
    assert (now.keys, now.nkeys, now.publish) == (was.keys, was.nkeys, was.publish)
    assert now.read[: len(was.read)] == was.read
    secret = ("--passphrase-file", "root-a.pass")
    office.run("registry", "sign", FILE, "--key", "root-a.pem", *secret)
    secret = ("--passphrase-file", "root-b.pass")
    said = office.run("registry", "sign", FILE, "--key", "root-b.pem", *secret, "--json")
    assert json.loads(said)["text"].endswith("it stands")
    office.run("registry", "verify", FILE, "--previous", "registry.v1.tocsin.json")


REFUSED = {
    "a reader at AMBER+STRICT who is no member": (
        ("grant", FILE, "xa-office07", "--read", f"amber+strict:{NETWORK}"),
        6,
        "[not-a-member]",
    ),
    "a member of another country": (("join", FILE, "xb-office07", NETWORK), 6, "[other-country]"),
    "a speaker of another country": (
        ("grant", FILE, "xb-office07", "--publish", f"green:{NETWORK}:election-incident"),
        6,
        "[other-country]",
    ),
    "an audience of two countries that becomes national": (
        ("audience", FILE, "community", "--scope", "national"),
        6,
        "[other-country]",
    ),
    "an audience with an authority's id": (
        ("audience", FILE, "xa-office01", "--scope", "org"),
        6,
        "[audience]",
    ),
    "a member already": (("join", FILE, "xa-office01", NETWORK), 2, "already"),
    "nobody's audience": (
        ("join", FILE, "xa-office07", "xa-election-netwrk"),
        2,
        f"did you mean '{NETWORK}'",
    ),
    "nobody": (("join", FILE, "xa-office99", NETWORK), 3, "[unknown-authority]"),
    "no member": (("leave", FILE, "xa-office07", NETWORK), 2, "no member"),
    "the same scope": (("audience", FILE, NETWORK, "--scope", "national"), 2, "already"),
}


@pytest.mark.parametrize(("command", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_would_not_stand_is_refused_before_anybody_signs(
    office: Office, command: tuple[str, ...], code: int, said: str
) -> None:
    """In a sentence, and the file stays as it was."""
    before = (office.folder / FILE).read_bytes()
    assert said in office.run("registry", *command, code=code)
    assert (office.folder / FILE).read_bytes() == before
    assert not (office.folder / "registry.v1.tocsin.json").exists()


def test_who_leaves_keeps_grants_until_they_are_taken_back_by_word(office: Office) -> None:
    """A grant that is for members alone stops it; --with-grants takes back what names this audience, and no other grant."""
    before = held(office).authorities["xa-office01"]
    changed(office, "grant", FILE, "xa-office01", "--read", f"amber+strict:{NETWORK}")
    assert "--with-grants" in office.run("registry", "leave", FILE, "xa-office01", NETWORK, code=6)
    found = changed(office, "leave", FILE, "xa-office01", NETWORK, "--with-grants")
    assert {each["place"] for each in found} == {
        f"audiences.{NETWORK}.members",
        "authorities.xa-office01.read",
    }
    assert all("new" not in each for each in found)
    assert held(office).authorities["xa-office01"] == before


def test_an_audience_is_made_with_its_scope(office: Office) -> None:
    """National, without members; then its first one joins."""
    found = changed(office, "audience", FILE, "xb-election-network", "--scope", "national")
    ((place, new),) = ((each["place"], json.loads(each["new"])) for each in found)
    assert (place, new) == ("audiences.xb-election-network", {"scope": "national"})
    changed(office, "join", FILE, "xb-office00", "xb-election-network")
    assert held(office).audiences["xb-election-network"].members == ("xb-office00",)


def test_sign_refuses_what_could_not_stand(office: Office, founded: tuple[World, bytes]) -> None:
    """A proposal that another program wrote is looked at before it is signed."""
    world, raw = founded
    document = ceremony.next_version(ceremony.document_of(raw), "A" * 43, world.now, dt.timedelta(days=30))
    record = document.authorities["xb-office00"]
    grant = ReadGrant(statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=(NETWORK,))
    document = msgspec.structs.replace(
        document,
        authorities={**document.authorities, "xb-office00": msgspec.structs.replace(record, read=(grant,))},
    )
    path = office.folder / "other.tocsin.json"
    path.write_bytes(ceremony.unsigned(document))
    said = office.run("registry", "sign", "other.tocsin.json", "--key", "root-a.pem", "--passphrase-file", "root-a.pass", code=6)  # fmt: skip
    assert "[other-country]" in said
    assert ceremony.signatures(path.read_bytes()) == ()
