"""The power of an administrator of the broker's machine: its keys, configuration, streams, and the files of its store."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from bus.demo import PATIENCE_S, Stage
from bus.keys import nkeys
from bus.transport import Connection, ConsumerSpec, RawHeaders, consumers, js_api, publish

_SOURCE = "Nats-Stream-Source"  # headers that a stream adds to a message from another stream


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a stream."""

    seq: int
    subject: str
    headers: dict[str, str]
    payload: bytes


class Machine:
    """The broker's machine, with a hostile administrator."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seed, self._public = nkeys.generate()
        self._system_seed, self._system_public = nkeys.generate()

    def conf(self) -> str:
        """The configuration with two further users: one in the account of the streams, one in the system account."""
        streams = "  BUS {\n"
        changed = self._stage.conf().replace(
            streams, f"{streams}    users: [{{ nkey: {self._public} }}]\n", 1
        )
        return changed.replace("SYS { users: [] }", f"SYS {{ users: [{{ nkey: {self._system_public} }}] }}")

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[Connection]:
        """That user's connection."""
        async with Connection.open(self._stage.endpoint("operator", self._seed)) as connection:
            await connection.until_connected(PATIENCE_S)
            yield connection

    async def cut(self, name: str, meanwhile: Callable[[], Awaitable[object]]) -> list[str]:
        """With the system account, end the connections of an identity. Returns all subjects seen during that time."""
        server, ended = self._stage.server, asyncio.Event()
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)
            if message.subject.endswith(".DISCONNECT"):
                ended.set()

        seen = (await asyncio.to_thread(server.monitor, "connz"))["connections"]
        server_id = (await asyncio.to_thread(server.monitor, "varz"))["server_id"]
        async with self._stage.connected("system", self._system_seed) as connection:
            client = connection.client()
            await client.subscribe(">", cb=hear)
            for each in seen:
                if each.get("name") == self._stage.endpoint(name, "").name:
                    body = json.dumps({"cid": each["cid"]}).encode()
                    await client.request(f"$SYS.REQ.SERVER.{server_id}.KICK", body, timeout=PATIENCE_S)
            await meanwhile()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await ended.wait()
            await client.flush()
        return heard

    # -- streams ------------------------------------------------------------------------------------------------------

    async def records(self, stream: str) -> list[Record]:
        """All messages of a stream."""
        found = []
        async with self.administrator() as connection:
            state = (await js_api(connection, f"STREAM.INFO.{stream}"))["state"]
            for seq in range(state["first_seq"], state["last_seq"] + 1):
                raw = (await js_api(connection, f"STREAM.MSG.GET.{stream}", {"seq": seq}))["message"]
                headers = dict(RawHeaders(base64.b64decode(raw.get("hdrs", ""))).pairs)
                headers.pop(_SOURCE, None)
                found.append(
                    Record(
                        seq=seq,
                        subject=raw["subject"],
                        headers=headers,
                        payload=base64.b64decode(raw.get("data", "")),
                    )
                )
        return found

    async def remake(self, stream: str, records: Sequence[Record]) -> None:
        """Delete a stream, and make another with its name, chosen content, deletion allowed, and its consumers.

        It takes messages with a prefix of the attacker, and stores them without it: so it can hold the subjects of
        origin streams.
        """
        prefix = f"operator.{stream}"
        config: dict[str, Any] = {
            "name": stream,
            "storage": "file",
            "subjects": [f"{prefix}.>"],
            "subject_transform": {"src": f"{prefix}.>", "dest": ">"},
        }
        async with self.administrator() as connection:
            await js_api(connection, f"STREAM.DELETE.{stream}")
            await js_api(connection, f"STREAM.CREATE.{stream}", config)
            for record in records:
                await publish(connection, f"{prefix}.{record.subject}", record.payload, record.headers)
            for spec in consumers(self._stage.registry):
                if spec.stream == stream:
                    await self._make(connection, spec)

    async def deliver(self, stream: str, reader: str, filters: tuple[str, ...]) -> None:
        """Let a reader's consumer deliver chosen parts of a stream."""
        async with self.administrator() as connection:
            await self._make(connection, ConsumerSpec(stream=stream, name=reader, filters=filters))

    @staticmethod
    async def _make(connection: Connection, spec: ConsumerSpec) -> None:
        body = {"stream_name": spec.stream, "config": spec.config()}
        await js_api(connection, f"CONSUMER.CREATE.{spec.stream}.{spec.name}", body)

    # -- files --------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Stop the server, and start it again at the same place at the end."""
        server = self._stage.server
        server.conf = server.pinned()
        await server.stop()
        yield
        await server.start()

    async def copy_store(self) -> None:
        """Keep a copy of the store's folder."""
        async with self.at_rest():
            await asyncio.to_thread(shutil.copytree, self._store, self._copy)

    async def put_back(self) -> None:
        """Replace the store by the copy."""
        async with self.at_rest():
            await asyncio.to_thread(shutil.rmtree, self._store)
            await asyncio.to_thread(shutil.move, self._copy, self._store)

    def stored(self, words: bytes) -> bool:
        """Whether these words occur in the files of the store."""
        for path in self._store.rglob("*"):
            with contextlib.suppress(
                FileNotFoundError, IsADirectoryError
            ):  # the server may write at the same time
                if words in path.read_bytes():
                    return True
        return False

    @property
    def _store(self) -> Path:
        return self._stage.server.folder / "jetstream"

    @property
    def _copy(self) -> Path:
        return self._stage.server.folder / "jetstream.old"
