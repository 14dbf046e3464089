"""One look at a worker's key, as a process that can be killed: ISSUER AGENT KEY_FILE."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from placet.agent import AgentConfig
from placet.agent._rotation import Rotation
from placet.tokens import read_key_file


async def look(issuer: str, agent: str, key_file: Path) -> None:
    """Rotate the key if it is time."""
    config = AgentConfig(agent, read_key_file(key_file), issuer, {}, key_file)
    async with aiohttp.ClientSession() as session:
        await Rotation(config, session, lambda: datetime.now(UTC), lambda _: None).look()


if __name__ == "__main__":
    asyncio.run(look(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
