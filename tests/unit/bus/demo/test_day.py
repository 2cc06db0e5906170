"""What the demonstration's people say: each step stands, its author may say it, and nothing is said twice."""

from __future__ import annotations

import datetime as dt

import pytest

from bus.demo.countries import COUNTRIES, HUBS, MEMBERS, Member, nation
from bus.demo.day import DAY, OPENING, ORDER, Step, draft_of
from bus.demo.founding import prepare
from bus.demo.keyring import Folder
from bus.demo.offices import OFFICES
from bus.hub.picture import read_contacts
from bus.trust import VerifiedRegistry
from schemas.bulletin import Defaults, new_id, stamp
from schemas.open_vocab import OPEN
from schemas.rules import check
from schemas.subject import channel_of
from schemas.vocab import Scope, Status

NOW = dt.datetime(2027, 5, 20, 9, 30, tzinfo=dt.UTC)
SAID = {
    f"{country} {name}": (country, step)
    for country in COUNTRIES
    for name, step in {**OPENING, **{name: DAY[name] for name in ORDER[country]}}.items()
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> VerifiedRegistry:
    """The demonstration's registry, founded once."""
    folder = tmp_path_factory.mktemp("founded") / "demo"
    found = prepare(folder, now=NOW)
    assert {each.authority for each in read_contacts(Folder(folder).contacts)} == set(
        found.document.authorities
    )
    return found


def author(country: str, step: Step) -> Member:
    """Whose step it is."""
    (found,) = (
        each
        for each in MEMBERS
        if each.country == country and each.office is not None and each.office.name == step.office
    )
    return found


@pytest.mark.parametrize(("country", "step"), SAID.values(), ids=SAID)
def test_each_step_stands_and_its_author_may_say_it(
    registry: VerifiedRegistry, country: str, step: Step
) -> None:
    """By every rule, and by the grants of the office; a hub reads it."""
    member = author(country, step)
    made = stamp(
        draft_of(step, member, NOW),
        id=new_id(NOW, b"0123456789"),
        seq=1,
        prev=None,
        issuer=registry.issuer(member.id),
        issued=NOW,
        defaults=Defaults(),
    )
    check(made)
    registry.permit(made)
    assert any(registry.may_read(hub.id, channel_of(made)) for hub in HUBS)


@pytest.mark.parametrize("country", COUNTRIES)
def test_nothing_is_said_twice_and_an_update_follows_what_it_updates(country: str) -> None:
    """Each step once, and after the step that it goes on with, by the same office to the same readers."""
    order = ORDER[country]
    assert len(set(order)) == len(order)
    told = {**OPENING}
    for name in order:
        step = DAY[name]
        if step.updates is not None:
            original = told[step.updates]
            assert (original.office, original.to) == (step.office, step.to)
        told[name] = step
    headlines = [step.headline for step in told.values()]
    assert len(set(headlines)) == len(headlines)


def test_each_country_has_a_network_that_nobody_of_the_other_reads(registry: VerifiedRegistry) -> None:
    """Seven offices and the hub of the country are its members, and its readers on status actual."""
    for country in COUNTRIES:
        audience = registry.document.audiences[nation(country)]
        assert audience.scope is Scope.NATIONAL
        assert len(audience.members) == 8
        readers = {
            name
            for name in registry.document.authorities
            if any(way[2] == nation(country) for way in registry.read_prefixes(name))
        }
        assert readers == set(audience.members)


def test_no_office_may_say_everything_and_all_have_what_guides_need(registry: VerifiedRegistry) -> None:
    """Kinds are named, and known; each identity has a seal key, contacts, and reads what it says to its networks."""
    for name, record in registry.document.authorities.items():
        assert record.kind in OPEN["authority-kind"].values
        assert all("*" not in grant.kinds for grant in record.publish)
        assert len(record.seal_keys) == 1
        assert len(record.contacts) == 2
        if record.kind != "hub":
            written_to = {each for office in OFFICES if f"-{office.name}" in name for each in office.also}
            spoken = {
                way
                for way in registry.granted_prefixes(name)
                if way[0] is not Status.SYSTEM and way[2] not in written_to
            }
            assert spoken <= set(registry.read_prefixes(name))
