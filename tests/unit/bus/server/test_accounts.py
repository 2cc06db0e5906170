"""Who enters a broker with which key."""

from __future__ import annotations

import msgspec
import pytest

from bus.federation.plan import BrokerRole, Country, Federation
from bus.keys import nkeys
from bus.server.accounts import keys_taken, members
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
    """Each key stands in one place, its holder's; the authority enters with its own other key, and it is reported."""
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
