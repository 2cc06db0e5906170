"""Publishes the draft in a TOML file as the current context.

TOCSIN_CONTEXT=xa-csirt python publish.py draft.toml
"""

import asyncio
import sys
import tomllib
from pathlib import Path

import bus


async def main(draft: dict[str, object]) -> None:
    """Publish the draft, and print the state it has reached."""
    async with bus.connect() as me:
        said = await me.publish(draft)
        print(said.state, said.channel, said.id)


asyncio.run(main(tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))))
