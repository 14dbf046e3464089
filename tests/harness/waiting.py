"""How long a test that waits for a condition pauses between two looks."""

import time
from collections.abc import Iterator

_SHORTEST, _LONGEST = 0.02, 0.5  # seconds


def pauses() -> Iterator[float]:
    """The pauses: a fifth of the time waited so far.

    A look costs both sides some milliseconds of work, which what is waited for then lacks: who
    waits long looks seldom, and still learns of it a fifth later at most.
    """
    begun = time.monotonic()
    while True:
        yield min(max((time.monotonic() - begun) / 5, _SHORTEST), _LONGEST)
