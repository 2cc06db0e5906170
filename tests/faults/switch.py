"""A switch between the nodes of a cluster: every route goes through it, and it can part some nodes from the others."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Collection

_NAMED = re.compile(rb'"server_name":"([^"]+)"')
_ENOUGH = 8192  # bytes in which who dials has said its name


class Switch:
    """Who dials whom is read from what the dialler says first, so that both ends of each route are known."""

    def __init__(self, nodes: dict[str, tuple[int, int]]) -> None:
        """`nodes` are, by name, the port at which the others dial one, and the port at which it listens."""
        self._nodes = nodes
        self._apart: frozenset[str] = frozenset()
        self._unheard = ""
        self._whole = asyncio.Event()
        self._routes: dict[tuple[str, str], set[asyncio.StreamWriter]] = {}
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        """Let routes through."""
        for name, (dialled, port) in self._nodes.items():

            async def join(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name, port: int = port
            ) -> None:
                await self._join(reader, writer, name, port)

            self._servers.append(await asyncio.start_server(join, "127.0.0.1", dialled))

    def split(self, apart: Collection[str]) -> None:
        """Part these nodes from the others: what is between them breaks, and nothing new gets through."""
        self._apart = frozenset(apart)
        for ends, writers in self._routes.items():
            if self._parted(*ends):
                for each in writers:
                    each.transport.abort()

    def muffle(self, name: str) -> None:
        """From now on nothing that a node says gets through; what is said to it does."""
        self._unheard = name
        self._whole.clear()

    def heal(self) -> None:
        """Everybody reaches everybody again, and what was on its way arrives."""
        self._apart, self._unheard = frozenset(), ""
        self._whole.set()

    async def close(self) -> None:
        """End every route."""
        for server in self._servers:
            server.close()
        for writers in self._routes.values():
            for each in writers:
                each.transport.abort()

    def _parted(self, one: str, other: str) -> bool:
        return (one in self._apart) != (other in self._apart)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, port: int
    ) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        back = asyncio.create_task(self._answers(far_reader, writer, name))
        # Whoever is not heard is given up by the other side, and must see that its route is gone.
        back.add_done_callback(lambda _: writer.transport.abort())
        said = b""
        ends = ("", name)
        try:
            while data := await reader.read(65536):
                if not ends[0] and len(said) < _ENOUGH:
                    said += data
                    if found := _NAMED.search(said):
                        ends = (found[1].decode(), name)
                        self._routes.setdefault(ends, set()).update((writer, far_writer))
                if ends[0] and self._parted(*ends):
                    break
                await self._heard(ends[0])
                far_writer.write(data)
                await far_writer.drain()
        except OSError:
            pass  # one of the two is gone
        finally:
            self._routes.get(ends, set()).difference_update((writer, far_writer))
            for each in (writer, far_writer):
                each.transport.abort()
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        """What the node that was dialled says."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._heard(name)
                writer.write(data)
                await writer.drain()

    async def _heard(self, speaker: str) -> None:
        """Wait until what somebody says gets through."""
        while speaker and speaker == self._unheard:
            await self._whole.wait()
