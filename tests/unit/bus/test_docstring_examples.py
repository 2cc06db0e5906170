"""The examples at the head of admission and of the registry run as they stand."""

from __future__ import annotations

import datetime as dt
import inspect
import textwrap
from typing import Any

import msgspec
import pytest

from bus.admission.steps import Admitted
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from tests.support.world import World, bulletin, make_world, sign, signed_registry

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> World:
    """A world of today, since the examples ask the clock."""
    return make_world(dt.datetime.now(dt.UTC))


def run_example(member: type, **names: Any) -> dict[str, Any]:
    """Execute the code after `Example` in the docstring of the module that a class is of; what it defines."""
    module = inspect.getmodule(member)
    assert module is not None
    _, _, text = inspect.cleandoc(module.__doc__ or "").partition("\nExample, ")
    _, _, code = text.partition("::\n")
    assert code
    defined = dict(names)
    exec(compile(textwrap.dedent(code), f"{module.__name__}, example", "exec"), defined)  # noqa: S102
    return defined


def test_the_example_of_admission_admits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints channel, number, trust and labels."""
    message = sign(world, bulletin(world))
    defined = run_example(Admitted, registry=world.registry, message=message)
    assert defined["admitted"].digest == message.digest
    assert capsys.readouterr().out == "xa-csirt/actual.green.community 1, fresh, []\n"


def test_the_example_of_admission_refuses(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints reason and sentence."""
    message = msgspec.structs.replace(sign(world, bulletin(world)), payload=b"")
    run_example(Admitted, registry=world.registry, message=message)
    assert capsys.readouterr().out == "refused, empty: there are no bytes\n"


def test_the_example_of_the_registry_updates(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It comes to the next version, fresh by its beacon, and lists the keys."""
    document = ceremony.next_version(world.registry.document, world.pin, world.now, 90 * DAY)
    following = signed_registry(document, world.roots[:2])
    second = world.registry.update(following, world.now)
    beacon = ceremony.new_beacon(second, world.beacon, world.now, DAY)
    names = {"first": world.raw, "following": following, "beacon": beacon, "pin": world.pin}
    assert run_example(VerifiedRegistry, **names)["registry"].digest == second.digest
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "test version 2 is fresh"
    assert sorted(lines[1:]) == sorted(f"{name} {signer.kid}" for name, signer in world.signers.items())


def test_the_example_of_the_registry_keeps_what_it_has(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version under one root changes nothing, and the example says why."""
    document = ceremony.next_version(world.registry.document, world.pin, world.now, 90 * DAY)
    following = signed_registry(document, world.roots[:1])
    names = {"first": world.raw, "following": following, "beacon": b"", "pin": world.pin}
    assert run_example(VerifiedRegistry, **names)["registry"].version == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "version 1 stays, threshold: 1 good signatures of the current root; 2 are needed",
        "test version 1 is stale",
    ]
