"""What is done to programs: a table of kinds, drawn by seed, each with its weight."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from bus.health import STALE_S
from tests.faults.looking import opened
from tests.programs import damage
from tests.programs.founding import PLACES
from tests.programs.judging import Spared, last_line
from tests.programs.line import HURTS
from tests.programs.stage import AUTHORS, HUBS, IDENTITIES, Done, Stage, comes
from tests.support.disks import fill
from tests.support.waiting import eventually

Doing = Callable[[Stage, random.Random], Awaitable[None]]
HOUR = 3600.0
DAMAGED, OTHER = "xa-csirt", "xb-dsc"
"""Whose outbox is damaged, while a heartbeat program stands beside; and who speaks meanwhile."""
STORE = "xb-hub"
SOME_FRAMES = 30


class Kind(NamedTuple):
    """One kind of fault: how often it is drawn beside the others, and what it does."""

    weight: int
    do: Doing
    damages: bool = False
    """Whether files are damaged, so that nothing but this may go on meanwhile."""


# -- processes ----------------------------------------------------------------------------------------------


def kill(name: str) -> Doing:
    """Kill -9 a program; it is started again within a second."""

    async def do(stage: Stage, rng: random.Random) -> None:
        seconds = rng.uniform(0.0, 1.0)
        with stage.fault("kill", name):
            await stage.restart(name, seconds)

    return do


def die(name: str) -> Doing:
    """Kill -9, and a look at what is said of the program before it is started again."""

    async def do(stage: Stage, rng: random.Random) -> None:
        with stage.fault("die", name):
            stage.programs[name].kill()
            await stage.must_not_be_green(name, "dead")
            stage.programs[name].start()

    return do


async def kill_publish(stage: Stage, rng: random.Random) -> None:
    """Kill -9 a `publish` somewhere in its course."""
    who, seconds = rng.choice(AUTHORS), rng.uniform(0.2, 1.2)
    with stage.fault("kill", "publish"):
        if not stage.talking:
            task = asyncio.create_task(stage.say(who, 2))
            await eventually(lambda: stage.talking)
            await asyncio.sleep(seconds)
            await stage.kill_talking(rng)
            await task
        else:
            await asyncio.sleep(seconds / 2)
            await stage.kill_talking(rng)


async def kill_nats(stage: Stage, rng: random.Random) -> None:
    """Kill -9 a nats-server; the program around it ends with an error and is started again."""
    place = rng.choice(PLACES)
    name = f"server-{place}"
    pid = stage.ground.nats_pid(place)
    if pid is None:
        return  # it is just being started
    with stage.fault("kill-nats", place, name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not await comes(lambda: stage.ground.nats_pid(place) not in (pid, None)):
            stage.unsaid.append(f"{name} does not come back: {last_line(stage.programs[name].said())}")


def stop(name: str, longest_s: float, *, looked_at: bool = False) -> Doing:
    """SIGSTOP, and SIGCONT after a while; with `looked_at` nothing that judges it may find it well meanwhile."""

    async def do(stage: Stage, rng: random.Random) -> None:
        seconds = max(rng.uniform(longest_s / 4, longest_s), STALE_S + 1.0 if looked_at else 0.0)
        program = stage.programs[name]
        with stage.fault("stop", name):
            program.signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
                if looked_at:
                    await stage.must_not_be_green(name, "stopped")
            finally:
                program.signal(signal.SIGCONT)

    return do


async def stop_nats(stage: Stage, rng: random.Random) -> None:
    """SIGSTOP of a nats-server for some seconds."""
    place, seconds = rng.choice(PLACES), rng.uniform(1.0, 6.0)
    pid = stage.ground.nats_pid(place)
    if pid is None:
        return
    with stage.fault("stop-nats", place, f"server-{place}"), contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)


async def full_pipe(stage: Stage, rng: random.Random) -> None:
    """Nobody reads what a hub prints: it reads on, and ends when it is told to."""
    name = rng.choice(HUBS)
    program = stage.programs[name]
    with stage.fault("full-pipe", name):
        await _ends(stage, name)
        program.deaf = True
        program.start()
        await stage.say(OTHER, 3)
        await _arrives(stage, name, "while nobody reads its output")
        await _ends(stage, name)
        program.deaf = False
        program.start()


async def no_descriptors(stage: Stage, rng: random.Random) -> None:
    """A program can open nothing more for a while, and its connection breaks: it waits and goes on."""
    name = rng.choice((*HUBS, "heartbeat", "adapter"))
    who = IDENTITIES.get(name, name)
    program = stage.programs[name]
    with stage.fault("no-descriptors", name):
        if not await comes(lambda: stage.is_up(name)):
            return  # who has not begun yet cannot even load its modules
        was = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (3, was[1]))
        stage.lines[who].reset()
        await asyncio.sleep(rng.uniform(1.0, 3.0))
        if program.runs:
            resource.prlimit(program.pid, resource.RLIMIT_NOFILE, was)


# -- lines --------------------------------------------------------------------------------------------------


def hurt(how: str) -> Doing:
    """One line is hurt until so many frames were, or some seconds have gone by, and healed."""

    async def do(stage: Stage, rng: random.Random) -> None:
        who, seconds = rng.choice(sorted(stage.lines)), rng.uniform(2.0, 5.0)
        line = stage.lines[who]
        with stage.fault(how, who):
            before, looks = line.touched, int(seconds / 0.1)
            await line.begin(how)
            while looks and line.touched < before + SOME_FRAMES:
                await asyncio.sleep(0.1)
                looks -= 1
            await line.heal()

    return do


# -- clocks -------------------------------------------------------------------------------------------------


async def hub_clock(stage: Stage, rng: random.Random) -> None:
    """A hub's clock is an hour off, and is put right: it admits less meanwhile, and everything afterwards."""
    name, hours = rng.choice(HUBS), rng.choice((-1.0, 1.0))
    program = stage.programs[name]
    with stage.fault("hub-clock", name):
        program.kill()
        program.clock_s = hours * HOUR
        program.start()
        await stage.say(OTHER, 2)
        await asyncio.sleep(rng.uniform(1.0, 3.0))
        program.kill()
        program.clock_s = 0.0
        program.start()


async def author_clock(stage: Stage, rng: random.Random) -> None:
    """An author's clock is two hours ahead: it is refused, or said at once, what its bulletins are worth."""
    with stage.fault("author-clock", OTHER):
        done = await stage.say(OTHER, 1, clock_s=2 * HOUR)
        if done.code == 0 and "clock" not in done.err:
            stage.unsaid.append(f"{OTHER}, whose clock is two hours ahead, was told nothing: {done.err}")
        # What it says all the same is withheld until its time has come, after this run.
        digests = frozenset(msgspec.json.decode(line)["digest"] for line in done.out.splitlines())
        stage.spared.append(Spared(digests=digests, reason="from-the-future"))


# -- disks --------------------------------------------------------------------------------------------------


async def full_outbox(stage: Stage, rng: random.Random) -> None:
    """The disk of an outbox is full: `publish` refuses and keeps nothing; with room again it goes on."""
    if DAMAGED not in stage.disks:
        return
    with stage.fault("full-outbox", DAMAGED):
        ballast = fill(stage.disks[DAMAGED], 4096)
        try:
            done = await stage.say(DAMAGED, 3)
            if done.code == 0:
                return  # it had room in its log
            if not last_line(done.err):
                stage.unsaid.append(f"a full disk: exit code {done.code} and no word")
        finally:
            ballast.unlink()
        await _publishes(stage, DAMAGED, "with room on its disk again")


async def full_store(stage: Stage, rng: random.Random) -> None:
    """The disk of a hub's store is full: it waits, and with room again takes in what came meanwhile."""
    if STORE not in stage.disks:
        return
    with stage.fault("full-store", STORE):
        ballast = fill(stage.disks[STORE], 4096)
        try:
            await asyncio.gather(*(stage.say(who, 8) for who in (OTHER, "xa-dpa")))
            await asyncio.sleep(rng.uniform(1.0, 3.0))
        finally:
            ballast.unlink()
        await _arrives(stage, STORE, "with room on its disk again")


# -- files --------------------------------------------------------------------------------------------------


async def outbox_log_bit(stage: Stage, rng: random.Random) -> None:
    """Bulletins are accepted while the bus is away, everything dies, and a bit of the log turns over: lost, but said."""
    with stage.fault("outbox-log-bit", DAMAGED, "heartbeat"):
        async with _unsent(stage, 4):
            if not damage.flip_in_log(stage.ground.outbox(DAMAGED), rng):
                return
        await _said_before_harm(stage, "a bit of the outbox's log turned over")


async def outbox_row_bit(stage: Stage, rng: random.Random) -> None:
    """A bit of a kept payload turns over: it is not sent, what follows it is, and its author is told."""
    with stage.fault("outbox-row-bit", DAMAGED, "heartbeat"):
        async with _unsent(stage, 2):
            digest = damage.flip_in_row(
                stage.ground.outbox(DAMAGED), "outbox", "state = 'kept' AND channel LIKE 'actual%'", rng
            )
        if digest is None:
            return
        await _publishes(stage, DAMAGED, "after a kept payload was damaged")
        done = await stage.command("outbox", "status", "--context", DAMAGED)
        if done.code == 0 or "damaged" not in done.out + done.err:
            stage.unsaid.append(f"outbox status of a damaged row: exit code {done.code}: {done.out}")
        stage.spared.append(Spared(digests=frozenset({digest}), reason="row-damaged"))
        stage.programs["heartbeat"].start()
        await stage.must_see(DAMAGED, "outbox", "a row of it is damaged")


async def restored_outbox(stage: Stage, rng: random.Random) -> None:
    """An older copy of an outbox is put back: nothing is signed over it until it was compared with the bus."""
    path, copy = stage.ground.outbox(DAMAGED), stage.folder / "copy"
    with stage.fault("restored-outbox", DAMAGED, "heartbeat"):
        await _ends(stage, "heartbeat")
        damage.keep(path, copy)
        await _publishes(stage, DAMAGED, "before its outbox is put back")
        await _settled(stage)
        damage.put_back(path, copy)
        await _said_before_harm(stage, "an older copy of the outbox was put back")


async def deleted_outbox(stage: Stage, rng: random.Random) -> None:
    """The outbox is deleted under a running heartbeat program: it is noticed, and nothing begins a second chain."""
    with stage.fault("deleted-outbox", DAMAGED, "heartbeat"):
        await _settled(stage)
        began = len(stage.programs["heartbeat"].said(10**6))
        damage.delete(stage.ground.outbox(DAMAGED))
        await _notices(stage, "heartbeat", began, "its outbox was deleted under it")
        stage.programs["heartbeat"].kill()  # nobody recovers beside a program that goes on over the old file
        await _said_before_harm(stage, "the outbox was deleted")


async def store_log_bit(stage: Stage, rng: random.Random) -> None:
    """A bit of the log of a hub's store turns over while the hub is dead: what it held comes again, or it says so."""
    program = stage.programs[STORE]
    with stage.fault("store-log-bit", STORE, STORE):
        program.kill()
        if damage.flip_in_log(stage.ground.store(STORE), rng):
            stage.stores[STORE].begin_anew()
        program.start()
        await _arrives(stage, STORE, "after a bit of its store's log turned over")


async def store_row_bit(stage: Stage, rng: random.Random) -> None:
    """A bit of an admitted payload turns over: `hub scrub` names it; its store is made anew."""
    program, path = stage.programs[STORE], stage.ground.store(STORE)
    with stage.fault("store-row-bit", STORE, STORE):
        await _ends(stage, STORE)
        digest = damage.flip_in_row(path, "admitted", "NOT is_talk", rng)
        if digest is not None:
            with opened(path) as db:
                (damaged,) = db.execute("SELECT id FROM admitted WHERE digest = ?", (digest,)).fetchone()
            done = await stage.command("hub", "scrub", "--context", STORE)
            if done.code != 1 or damaged not in done.out:
                stage.unsaid.append(f"hub scrub of a damaged row: exit code {done.code}: {done.out[:200]}")
        damage.delete(path)
        stage.stores[STORE].begin_anew()
        program.start()
        await _arrives(stage, STORE, "with a store made anew")


async def deleted_store(stage: Stage, rng: random.Random) -> None:
    """The store is deleted under a running hub: it notices, and fills another."""
    with stage.fault("deleted-store", STORE, STORE):
        began = len(stage.programs[STORE].said(10**6))
        damage.delete(stage.ground.store(STORE))
        await _notices(stage, STORE, began, "its store was deleted under it")
        stage.stores[STORE].begin_anew()
        await stage.restart(STORE)
        await _arrives(stage, STORE, "after its store was deleted")


async def replaced_store(stage: Stage, rng: random.Random) -> None:
    """An older copy takes the place of a store under the running hub: it notices, and catches up."""
    path, copy = stage.ground.store(STORE), stage.folder / "copy"
    with stage.fault("replaced-store", STORE, STORE):
        await _ends(stage, STORE)
        damage.keep(path, copy)
        stage.programs[STORE].start()
        await stage.say(OTHER, 3)
        await _arrives(stage, STORE, "before its store is replaced")
        began = len(stage.programs[STORE].said(10**6))
        damage.put_back(path, copy)
        await _notices(stage, STORE, began, "its store was replaced under it")
        stage.stores[STORE].begin_anew()
        await stage.restart(STORE)
        await _arrives(stage, STORE, "after its store was replaced")


# -- what they share ----------------------------------------------------------------------------------------


async def _ends(stage: Stage, name: str) -> None:
    """SIGTERM; what does not end in time, with exit code 0, is noted."""
    code = await stage.told_to_end(stage.programs[name])
    if code != 0 and not (code == 75 and name in ("heartbeat", "adapter")):
        how = "killed after SIGTERM" if code is None else f"exit code {code}"
        stage.clinging.append(f"{name}: {how}: {last_line(stage.programs[name].said())}")


async def _arrives(stage: Stage, hub: str, when: str) -> None:
    """Wait until a hub holds all that has been said; noted when it does not."""
    if not await comes(lambda: not stage.lacks(hub)):
        stage.unsaid.append(f"{hub} still lacks {len(stage.lacks(hub))} {when}")


async def _settled(stage: Stage) -> None:
    """Wait until everything is everywhere, so that what is gone after a damage is what the damage has cost."""
    if not await comes(stage.at_rest):
        stage.unsaid.append(f"not at rest before a damage: {stage.describe()}")


async def _publishes(stage: Stage, who: str, when: str) -> None:
    done = await stage.say(who, 2, "--wait", "stored=20")
    if done.code not in (0, 75):
        stage.unsaid.append(f"{who} cannot publish {when}: exit code {done.code}: {last_line(done.err)}")


async def _notices(stage: Stage, name: str, began: int, what: str) -> None:
    """Wait until a program has ended with an error, or said something."""
    program = stage.programs[name]

    def noticed() -> bool:
        ended = program.process is not None and program.process.poll() not in (None, 0)
        return ended or len(program.said(10**6)) > began

    if not await comes(noticed, 25):
        stage.unsaid.append(f"{name} said nothing when {what}")


@asynccontextmanager
async def _unsent(stage: Stage, count: int) -> AsyncIterator[None]:
    """Bulletins stand in the outbox while the bus is away and the program beside was killed; afterwards it is back."""
    line, beside = stage.lines[DAMAGED], stage.programs["heartbeat"]
    await _settled(stage)
    await line.begin("refuse")
    try:
        await stage.say(DAMAGED, count, "--wait", "accepted")
        beside.kill()
        yield
    finally:
        await line.heal()


async def _said_before_harm(stage: Stage, what: str) -> None:
    """The next `publish` refuses; what is lost is spared for that; `outbox recover`, and it goes on."""
    stage.look_at_outbox(DAMAGED)
    done: Done = await stage.say(DAMAGED, 1, "--wait", "stored=20")
    gone = stage.gone_from(DAMAGED)
    if done.code in (0, 75):
        if gone:
            stage.unsaid.append(f"{DAMAGED} signed on, exit code {done.code}, when {what}")
    else:
        stage.spared.append(Spared(digests=frozenset(gone), reason=last_line(done.err)))
    recovered = await stage.command("outbox", "recover", "--yes", "--context", DAMAGED)
    if recovered.code != 0:
        stage.unsaid.append(
            f"outbox recover, when {what}: exit code {recovered.code}: {last_line(recovered.err)}"
        )
    else:
        stage.spare_restamped(DAMAGED, last_line(recovered.err))
    stage.programs["heartbeat"].start()
    await _publishes(stage, DAMAGED, f"and was recovered, after {what}")


KILLS: dict[str, Kind] = {
    **{f"kill-{hub}": Kind(4, kill(hub)) for hub in HUBS},
    **{f"kill-server-{place}": Kind(3, kill(f"server-{place}")) for place in PLACES},
    "kill-publish": Kind(8, kill_publish),
    "kill-nats": Kind(8, kill_nats),
    "kill-adapter": Kind(4, kill("adapter")),
    "kill-heartbeat": Kind(3, kill("heartbeat")),
    "kill-keeper": Kind(2, kill("keeper")),
}
"""`kill -9` of any program."""
OTHERS: dict[str, Kind] = {
    **{f"stop-{hub}": Kind(2, stop(hub, 20.0, looked_at=True)) for hub in HUBS},
    **{f"die-{name}": Kind(1, die(name)) for name in (*HUBS, "heartbeat", "adapter")},
    **{
        f"stop-{name}": Kind(1, stop(name, 6.0))
        for name in ("adapter", "heartbeat", "server-xa", "server-east")
    },
    "stop-nats": Kind(2, stop_nats),
    "full-pipe": Kind(2, full_pipe),
    "no-descriptors": Kind(2, no_descriptors),
    **{how: Kind(1, hurt(how)) for how in HURTS},
    "hub-clock": Kind(1, hub_clock),
    "author-clock": Kind(1, author_clock, damages=True),
    "full-outbox": Kind(1, full_outbox, damages=True),
    "full-store": Kind(1, full_store),
    "outbox-log-bit": Kind(2, outbox_log_bit, damages=True),
    "outbox-row-bit": Kind(2, outbox_row_bit, damages=True),
    "restored-outbox": Kind(1, restored_outbox, damages=True),
    "deleted-outbox": Kind(1, deleted_outbox, damages=True),
    "store-log-bit": Kind(2, store_log_bit, damages=True),
    "store-row-bit": Kind(1, store_row_bit, damages=True),
    "deleted-store": Kind(1, deleted_store, damages=True),
    "replaced-store": Kind(1, replaced_store, damages=True),
}
"""Everything else."""
KINDS = {**KILLS, **OTHERS}


def drawn(kinds: dict[str, Kind], rounds: int, rng: random.Random) -> list[tuple[str, int]]:
    """So many faults by their weights, each with the seed of what it draws itself."""
    names = sorted(kinds)
    chosen = rng.choices(names, [kinds[name].weight for name in names], k=rounds)
    return [(name, rng.randrange(2**32)) for name in chosen]


async def done_to(stage: Stage, name: str, seed: int) -> None:
    """One fault; where it damages files, nobody speaks by command meanwhile."""
    kind = KINDS[name]
    async with stage.silence() if kind.damages else contextlib.nullcontext():
        try:
            await kind.do(stage, random.Random(seed))
        except AssertionError as exc:  # what was waited for did not come
            stage.unsaid.append(f"{name}: {exc}; {stage.describe()}")
