"""Prints what the current context may read, as it comes, each verified here.

TOCSIN_CONTEXT=xa-csirt python watch.py cyber data-breach
"""

import asyncio
import sys

import bus
from schemas.subject import Interest


async def main(topics: tuple[str, ...]) -> None:
    """Print without end; topics are domains or kinds, none is all."""
    async with bus.connect() as me:
        async for seen in me.watch(Interest(topics=topics), since=None):
            print(seen.bulletin.issuer.id, seen.bulletin.headline, flush=True)


asyncio.run(main(tuple(sys.argv[1:])))
