"""One evening on which an authority's keys are stolen, over a real nats-server. Run it: `python evening.py`.

Each step is a checked sentence; the first false one ends the script with exit code 1.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from stage import GREEN, NEIGHBOUR, PUBLIC, VICTIM, Evening, Thief, with_key

from bus.demo import PATIENCE_S, Hub, StepError, clock, played, send, step, until, warning
from bus.errors import DeniedError, OutboxError
from bus.keys import FileSigner, nkeys
from bus.publishing import Publisher, Reanchoring
from bus.transport import Connection
from bus.trust import new_statement, proposals, revoke_keys
from schemas.parts import Ref
from schemas.registry import Registry
from schemas.vocab import MsgType, RefRel, Tlp

BACK = dt.timedelta(minutes=4)  # dated further back, his reference would name a later bulletin (R52)


class Story:
    """The story, scene by scene."""

    def __init__(self, world: Evening, reserve: FileSigner, stack: AsyncExitStack) -> None:
        self._world = world
        self._stack = stack
        self._reserve = reserve
        self._stolen, self._seed = world.signer(VICTIM), world.transport(VICTIM)
        self._fresh, (self._new_seed, self._new_public) = FileSigner.generate(), nkeys.generate()
        # The honest history: digests by channel, and the ids of the warnings that must be in force.
        self._chains: dict[str, list[str]] = {GREEN: [], PUBLIC: []}
        self._theirs: list[str] = []
        self._closed = self._letters = self._late = ""
        self._thief: Thief
        self._theft: dt.datetime

    # -- checks at each hub ------------------------------------------------------------------------------------

    async def _honest_alone(self, hub: Hub) -> bool:
        """Whether it shows exactly the honest history of xa-emb, in order."""
        return all([await hub.chain(VICTIM, name) == chain for name, chain in self._chains.items()])

    async def _deceived(self, hub: Hub) -> bool:
        shown = {each for name in self._chains for each in await hub.chain(VICTIM, name)}
        return set(self._thief.said) <= shown and not {self._closed, self._letters} & await hub.in_force()

    async def _contradicted(self, hub: Hub) -> bool:
        return (await hub.reasons()).get(self._late) == "fork"

    async def _withdrawn(self, hub: Hub) -> bool:
        reasons = await hub.reasons()
        return await self._honest_alone(hub) and all(
            reasons.get(each) == "key-revoked" for each in self._thief.said
        )

    async def _by_date(self, hub: Hub) -> bool:
        """Whether bulletins dated after the theft are withdrawn with their effects, and back-dated ones still stand."""
        cancels, replaces, lie = self._thief.said
        in_force = await hub.in_force()
        return (
            await hub.chain(VICTIM, GREEN) == [*self._chains[GREEN], cancels]
            and await hub.chain(VICTIM, PUBLIC) == [*self._chains[PUBLIC], lie]
            and (await hub.reasons()).get(replaces) == "key-revoked"
            and (self._letters in in_force, self._closed in in_force) == (True, False)
        )

    async def _in_force_again(self, hub: Hub) -> bool:
        return {self._closed, self._letters} <= await hub.in_force()

    async def _at_the_end(self, hub: Hub) -> bool:
        return (
            await self._honest_alone(hub)
            and await hub.chain(NEIGHBOUR, GREEN) == self._theirs
            and await hub.reasons() == dict.fromkeys(self._thief.said, "key-revoked")
            and await self._in_force_again(hub)
        )

    # -- the scenes ---------------------------------------------------------------------------------------------------

    async def honest_hours(self, desk: Publisher, neighbour: Publisher) -> None:
        """All is honest until eight o'clock."""
        world, green, public = self._world, self._chains[GREEN], self._chains[PUBLIC]
        self._theirs.append((await send(neighbour, warning("Scans of results.example", NEIGHBOUR))).digest)
        first = await send(desk, warning("A forged notice says that polling ends at noon"))
        second = await send(desk, warning("Letters with a false polling date"))
        self._closed, self._letters = first.id, second.id
        green += [first.digest, second.digest]
        hours = warning("Polling ends at 20:00", tlp=Tlp.CLEAR, audience="public")
        public.append((await send(desk, hours)).digest)
        await until(
            "19:00  xa-emb has warned three times; both hubs show it.",
            lambda: world.all_hubs(self._honest_alone),
        )

    async def theft(self, desk: Publisher) -> None:
        """A thief publishes with valid keys."""
        world, green, public = self._world, self._chains[GREEN], self._chains[PUBLIC]
        self._theft = clock()
        connection = await self._stack.enter_async_context(world.connected(VICTIM, self._seed))
        thief = self._thief = Thief(world.held["xb-hub"], self._stolen, connection)
        step("20:00  The signing key and the transport key of xa-emb are copied. The thief is on the bus.")

        cancels = {"msg_type": MsgType.CANCEL, "references": (Ref(id=self._closed, rel=RefRel.CANCELS),)}
        replaces = {"msg_type": MsgType.UPDATE, "references": (Ref(id=self._letters, rel=RefRel.SUPERSEDES),)}
        third = await thief.forge(
            warning("Polling does end at noon", VICTIM, **cancels), 3, green[-1], back=BACK
        )
        await thief.forge(warning("The date in the letters is right", VICTIM, **replaces), 4, third)
        lie = warning("Polling ends at 12:00", tlp=Tlp.CLEAR, audience="public")
        await thief.forge(lie, 2, public[-1], back=BACK)
        await until(
            "20:05  He cancels one warning, replaces another, and lies to the public, two of the three back-dated.\n"
            "       Both hubs show it: the signatures are good.",
            lambda: world.all_hubs(self._deceived),
        )
        self._late = (await send(desk, warning("Flood against results.example"))).digest
        await until(
            "20:10  xa-emb, unaware, publishes once more; the place is taken, and both hubs put it aside as a fork.",
            lambda: world.all_hubs(self._contradicted),
        )

    async def revocation(self, desk: Publisher) -> None:
        """The authority notices, and revokes its key itself."""
        world = self._world
        try:
            await desk.ready(PATIENCE_S)
        except OutboxError as exc:
            told = exc.reason == "outbox-behind" and all(
                command in str(exc) for command in ("outbox recover", "key revoke", "outbox reanchor")
            )
        else:
            told = False
        step(
            "20:20  The desk is opened again and refuses: the bus holds bulletins that xa-emb never sent.",
            told,
        )
        world.all_take(
            new_statement(
                domain=world.held[VICTIM]().domain,
                authority=VICTIM,
                kids=(self._stolen.kid,),
                since=self._theft,
                reason="key-compromise",
                signer=self._reserve,
                now=clock(),
            )
        )
        await until(
            "20:30  With the reserve key xa-emb ends the stolen one, since 20:00. No root keeper is needed.\n"
            "       Both hubs withdraw what is dated after 20:00: the replaced warning is in force again. A statement does not\n"
            "       reach into the past, so that what he has dated back stands, until the registry speaks.",
            lambda: world.all_hubs(self._by_date),
        )

    async def registrar(self, desk: Publisher) -> None:
        """The registrar revokes the key too."""
        world = self._world
        # Times in a registry are whole seconds.
        await asyncio.sleep(max(0.0, 1 - (clock() - self._theft).total_seconds()))
        world.all_take(world.registrar_says(self._replaced))
        await until(
            "20:45  The registrar's next version ends the stolen key too, since 20:00. Now what the hubs had heard before\n"
            "       counts, and no date: all that the thief has said is withdrawn, in quarantine as key-revoked.",
            lambda: world.all_hubs(self._withdrawn),
        )
        await until(
            "       The cancelled warning is in force again too.",
            lambda: world.all_hubs(self._in_force_again),
        )

        async def not_behind() -> bool:
            try:
                return await desk.ready(PATIENCE_S)
            except OutboxError:
                return False

        await until("       The desk, still running, does not count the thief's words any more.", not_behind)
        await self._thief.forge(
            warning("The statement is a forgery"), 3, self._chains[GREEN][-1], back=BACK * 1.5
        )
        await until(
            "20:50  He tries again, dated before the theft: refused as key-revoked.",
            lambda: world.all_hubs(self._withdrawn),
        )

    async def new_keys(self) -> None:
        """The broker follows the registry."""
        world = self._world
        await world.server.reload(world.conf())

        async def cut() -> bool:
            return not self._thief.connection.connected

        await until(
            "21:00  The same version has a new signing key and a new transport key for xa-emb.\n"
            "       The broker's configuration is made from it and reloaded: the thief's connection is cut,",
            cut,
        )
        async with Connection.open(world.endpoint(VICTIM, self._seed)) as again:
            try:
                await again.until_connected(2.0)
            except DeniedError:
                step("       and he gets no other.")
            else:
                raise StepError("the stolen transport key opens nothing")

    def _replaced(self, document: Registry) -> Registry:
        document = revoke_keys(
            document, VICTIM, (self._stolen.kid,), since=self._theft, reason="key-compromise", now=clock()
        )
        document = with_key(document, self._fresh)
        record = msgspec.structs.replace(document.authorities[VICTIM], nkeys=(self._new_public,))
        return proposals.add_authority(document, VICTIM, record)

    async def going_on(self, desk: Publisher) -> None:
        """The channels continue after the authority's last own bulletins."""
        step("21:10  The desk opens with the new keys and is not behind.", await desk.ready(PATIENCE_S))
        self._chains[GREEN].append(self._late)
        for name, chain in self._chains.items():
            async with Reanchoring.open(desk) as reanchoring:
                anchor = await reanchoring.proposal(name)
                step(
                    f"       On {name} it goes on after number {anchor.from_.seq}, its own last word.",
                    anchor.from_.digest == chain[-1]
                    and {each.digest for each in anchor.lost} < set(self._thief.said),
                )
                kept = await reanchoring.reanchor(name, anchor, reason="The key was stolen at 20:00.")
            if await desk.settled(kept.digest, PATIENCE_S) != "stored":
                raise StepError(f"the anchor on {name} is stored")
            chain.append(kept.digest)
        self._chains[GREEN].append((await send(desk, warning("The flood is over"))).digest)
        await until(
            "       Both hubs have the anchors and what follows; the bulletin of 20:10 stands after all.",
            lambda: self._world.all_hubs(self._honest_alone),
        )

    async def last_attempt(self, yesterday: str) -> None:
        """Only the second protection: the broker lets the thief in, but the hubs refuse his bulletins."""
        world, green = self._world, self._chains[GREEN]
        today = world.conf()
        await world.server.reload(yesterday)
        await self._thief.connection.until_connected(PATIENCE_S)
        await self._thief.forge(warning("Ignore the new key"), len(green) + 1, green[-1], back=BACK * 2)
        await until(
            "22:00  An operator reloads the old configuration by mistake. The thief is back on the bus, back-dates, and\n"
            "       continues the honest chain: refused by both hubs all the same.",
            lambda: world.all_hubs(self._withdrawn),
        )
        await world.server.reload(today)
        await until(
            f"23:00  Both hubs hold exactly the honest history, {len(green)} and {len(self._chains[PUBLIC])} bulletins, "
            f"in order; the {len(self._thief.said)} forged\n"
            "       ones are in quarantine with their reason; the cancelled warning is in force.",
            lambda: world.all_hubs(self._at_the_end),
        )

    async def tell(self) -> None:
        """Tell the whole story."""
        world = self._world
        async with (
            world.desk(NEIGHBOUR, world.signer(NEIGHBOUR), world.transport(NEIGHBOUR)) as neighbour,
            world.desk(VICTIM, self._stolen, self._seed) as desk,
        ):
            await self.honest_hours(desk, neighbour)
            await self.theft(desk)
        async with world.desk(VICTIM, self._stolen, self._seed) as desk:
            await self.revocation(desk)
            yesterday = world.conf()
            await self.registrar(desk)
        await self.new_keys()
        async with world.desk(VICTIM, self._fresh, self._new_seed) as desk:
            await self.going_on(desk)
            await self.last_attempt(yesterday)


async def evening(root: Path) -> None:
    """Run the story from the first warning to the thief's last attempt."""
    async with AsyncExitStack() as stack:
        world, reserve = Evening(root, stack), FileSigner.generate()
        await world.open(reserve)
        step(
            "18:00  Two countries, two hubs, one bus. The electoral body xa-emb has a reserve key in a safe."
        )
        await Story(world, reserve, stack).tell()


if __name__ == "__main__":
    sys.exit(played(evening))
