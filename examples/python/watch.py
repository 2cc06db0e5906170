"""Prints the bulletins that the current context may read, as they arrive; each is verified here.

TOCSIN_CONTEXT=xa-csirt python watch.py domain:cyber priority:p1,p2
"""

import asyncio
import sys

import bus


async def main(filter_: str) -> None:
    """Print matching bulletins without end; an empty filter matches all."""
    async with bus.connect() as me:
        async for seen in me.watch(filter_, since=None):
            print(seen.bulletin.issuer.id, seen.bulletin.headline, flush=True)


asyncio.run(main(" ".join(sys.argv[1:])))
