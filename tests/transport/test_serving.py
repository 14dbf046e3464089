"""What serves says where, once it does."""

import asyncio
import logging
import os
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest

from placet.transport import bind, serve_until_told, server_config


async def _app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Nobody asks it anything."""


async def test_one_line_of_the_log_says_where_requests_are_taken(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, "placet")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configs = [server_config(_app, each, lifespan="off") for each in (None, tls)]
    listening = [bind("127.0.0.1", 0), bind("127.0.0.1", 0)]
    first, second = (each.getsockname()[1] for each in listening)
    ready = tmp_path / "ready"
    serving = asyncio.create_task(
        serve_until_told(configs, listening, stopping=lambda: None, ready_file=ready)
    )
    async with asyncio.timeout(60):
        while not ready.exists():  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    said = f"ready for requests at http://127.0.0.1:{first}, https://127.0.0.1:{second}"
    assert caplog.messages == [said]
