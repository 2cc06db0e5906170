"""A broker that follows the registry looks after the imports of its accounts all the time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from bus.keys import nkeys
from bus.server import follow
from bus.server.config import ServerSettings, render_conf
from bus.server.findings import Check, hard
from bus.server.process import NatsServer
from tests.support.stage import running
from tests.support.trust import WORLD
from tests.support.waiting import eventually

SEED, PUBLIC = nkeys.generate()


class Broker:
    """A server in name only; it counts its reloads."""

    url = monitor_url = "nats://127.0.0.1:1"

    def __init__(self, conf: str) -> None:
        self.conf = conf
        self.reloads = 0

    def must_run(self) -> None:
        """It does."""

    async def reload(self, conf: str) -> None:
        """Take another configuration."""
        self.conf = conf
        self.reloads += 1


def _follow(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, standing: str, found: Callable[[], bool], look: float
) -> Coroutine[Any, Any, None]:
    def imports_check(*_: object) -> Check:
        return hard("accounts", found(), "", "xa-csirt: its subject is lost")

    async def provision(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr(follow, "imports_check", imports_check)
    monkeypatch.setattr(follow, "provision", provision)
    return follow.follow_registry(
        cast("NatsServer", broker),
        lambda: WORLD.registry,
        standing=standing,
        seed=SEED,
        settings=ServerSettings(),
        every=0.001,
        look=look,
    )


async def test_lost_imports_are_repaired_for_as_long_as_they_are_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six reloads bring them back, after a change of the registry that had long been followed."""
    broker = Broker("another")
    following = _follow(monkeypatch, broker, "another", lambda: broker.reloads >= 6, 0.01)
    async with running(following):
        await eventually(lambda: broker.reloads >= 6)


async def test_imports_that_are_lost_without_a_change_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is new in the registry; somebody reloaded the server."""
    conf = render_conf(WORLD.registry, settings=ServerSettings(), provisioner_nkey=PUBLIC)
    broker, looks = Broker(conf), [0]

    def found() -> bool:
        looks[0] += 1
        return looks[0] < 4 or broker.reloads > 0

    async with running(_follow(monkeypatch, broker, WORLD.registry.digest, found, 0.001)):
        await eventually(lambda: broker.reloads == 1)


async def test_repairs_that_do_not_help_come_ever_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The looks between two repairs grow in number: a server is not reloaded at each pass."""
    conf = render_conf(WORLD.registry, settings=ServerSettings(), provisioner_nkey=PUBLIC)
    broker, passes = Broker(conf), [0]
    at: list[int] = []

    def must_run() -> None:
        passes[0] += 1

    def found() -> bool:
        at.append(passes[0])
        return False

    monkeypatch.setattr(broker, "must_run", must_run)
    async with running(_follow(monkeypatch, broker, WORLD.registry.digest, found, 0.5)):
        await eventually(lambda: broker.reloads >= 4)
    assert at[1] - at[0] < at[3] - at[2]
