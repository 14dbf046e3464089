"""The event loop of processes that serve or work until they are stopped."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_long(work: Coroutine[Any, Any, T]) -> T:
    """Run a server or a worker, on the quicker event loop."""
    import uvloop  # noqa: PLC0415 - commands that end at once don't wait for it

    return uvloop.run(work)
