"""The reasons that a reader gets for a seal that it cannot open."""

from __future__ import annotations

import random

import msgspec
import pytest

from bus.keys.hpke import seal
from bus.sealing.opening import context_of
from bus.sealing.view import Keys, look
from tests.support.sealed import READERS, file_of, inner_bulletin, opening_key, outer_of, sealed_world


@pytest.mark.parametrize(
    ("sealed_in_its_name", "reason"),
    [(READERS[0], "seal-key-gone"), ("a stranger", "seal-key-unlisted")],
    ids=["its own key", "a stranger's key"],
)
def test_a_strangers_key_in_a_readers_name_is_not_taken_for_its_own(
    sealed_in_its_name: str, reason: str
) -> None:
    """The reader has lost no key: it is told that the registry lists no such key of its own."""
    world = sealed_world()
    inner = inner_bulletin(world)
    keys = [opening_key(name).public for name in (sealed_in_its_name, READERS[1])]
    outer = outer_of(world, inner)
    jwe = seal(
        file_of(world, inner), keys, context_of(inner, world.registry.domain), random.Random(1).randbytes
    )
    outer = msgspec.structs.replace(outer, body=msgspec.structs.replace(outer.body, jwe=jwe))
    mine = Keys(keys=(opening_key("another"),))
    view = look(outer, mine, reader=READERS[0], registry=world.registry, now=world.now)
    assert (view.inner, view.reason) == (None, reason)
