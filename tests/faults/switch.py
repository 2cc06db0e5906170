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

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        self._apart = frozenset()

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
        back = asyncio.create_task(_carry(far_reader, writer))
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


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
