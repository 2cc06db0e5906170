"""The keys that each identity enters a broker with."""

from __future__ import annotations

import msgspec
import pytest

from bus.federation.plan import BrokerRole, Country, Federation
from bus.keys import nkeys
from bus.server.accounts import keys_taken, members
from bus.transport.streams import PROVISIONER
from schemas.subject import matches
from tests.integration.test_server_follows import changed
from tests.support.trust import WORLD

PUBLIC = {name: nkeys.generate()[1] for name in ("carrier", "other", "provisioner", "probe", "probe_beside")}
SEAT = BrokerRole(
    federation=Federation(
        countries={"xa": Country(carrier=PUBLIC["carrier"]), "xb": Country(carrier=PUBLIC["other"])},
        paths=(),
    ),
    name="xa",
)


@pytest.mark.parametrize("owner", ["carrier", "provisioner", "probe", "probe_beside"])
def test_an_authority_does_not_enter_with_a_key_of_another_identity(owner: str) -> None:
    """Each key belongs only to its holder; the authority enters with its own other key, and the conflict is reported."""
    own = nkeys.generate()[1]
    record = msgspec.structs.replace(WORLD.registry.authority("xa-dpa"), nkeys=(PUBLIC[owner], own))
    registry = changed(WORLD.registry, xa_dpa=record)
    here = (PUBLIC["provisioner"], SEAT, (PUBLIC["probe"], PUBLIC["probe_beside"]))
    everybody = members(registry, *here)
    keys = [key for member in everybody for key in member.nkeys]
    assert len(keys) == len(set(keys))
    assert {member.name: member.nkeys for member in everybody}["xa-dpa"] == (own,)
    (taken,) = keys_taken(registry, *here)
    assert taken.startswith(f"xa-dpa: {PUBLIC[owner]} is of ")
    assert keys_taken(WORLD.registry, *here) == []


def test_the_provisioner_has_no_call_that_empties_or_reads_a_stream() -> None:
    """It makes streams and consumers and looks at them; it reads only the trust streams."""
    (one,) = [
        each for each in members(WORLD.registry, PUBLIC["provisioner"], SEAT) if each.name == PROVISIONER
    ]
    calls = [each.removeprefix("$JS.API.") for each in one.permissions.publish if each.startswith("$JS")]
    assert not [each for each in calls if ">" in each]
    makes = (
        "INFO",
        "STREAM.NAMES",
        "STREAM.INFO.*",
        "STREAM.CREATE.*",
        "STREAM.UPDATE.*",
        "CONSUMER.NAMES.*",
    )
    of_consumers = ("CONSUMER.INFO.*.*", "CONSUMER.CREATE.*.*", "CONSUMER.DELETE.*.*")
    reads = [
        f"CONSUMER.{call}.{stream}.provisioner"
        for stream in ("STATEMENTS", "TRUST")
        for call in ("MSG.NEXT", "RESET")
    ]
    assert set(calls) == {*makes, *of_consumers, *reads}


def test_no_call_of_an_account_is_imported_twice() -> None:
    """A call that two imports let through would be answered twice."""
    for member in members(WORLD.registry, PUBLIC["provisioner"], SEAT, (PUBLIC["probe"],)):
        for one in member.permissions.publish:
            others = [each for each in member.permissions.publish if each != one]
            assert not [each for each in others if matches(each, one)], member.name
        assert len(set(member.permissions.publish)) == len(member.permissions.publish)
