"""Temporal was never reached: that is "unavailable", like any other time that it is away (I4)."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from placet.authority._errors import Unavailable
from placet.authority._temporal import Temporal
from tests.harness.world import free_port


async def test_a_server_that_was_never_reached_is_away() -> None:
    """I4: an authority that starts before Temporal does says so, and asks again."""
    client = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    temporal = Temporal(client, timedelta(days=1))
    with pytest.raises(Unavailable, match="does not answer"):
        await temporal.prepare()
    with pytest.raises(Unavailable, match="Temporal does not answer; ask again later"):
        await temporal.describe("case-1")
    with pytest.raises(Unavailable, match="Temporal does not list what runs"):
        _ = [each async for each in temporal.seen_since(datetime.now(UTC), everything=True)]
