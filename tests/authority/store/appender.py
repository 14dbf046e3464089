"""A process that writes to a store: ``python -m tests.authority.store.appender URL NAME COUNT``.

Each of its entries has a key, so that it may be started again after it was killed. It prints the
number of each entry that it was told is durable.
"""

import asyncio
import sys
from datetime import UTC, datetime

from placet.authority._store import Store, Tx, UsedJti
from tests.authority import ORIGIN


async def append_all(url: str, name: str, count: int) -> None:
    """Append ``count`` entries of ``name``, ten at a time; those already there not again."""
    async with await Store.open(url, origin=ORIGIN) as store:

        async def append(number: int) -> None:
            def once(tx: Tx) -> None:
                if tx.get(UsedJti, (name, str(number))) is None:
                    tx.add(UsedJti(issuer=name, jti=str(number), expires_at=datetime.now(UTC)))
                    tx.append("case.opened", f"operator:{name}", {"number": number})

            await store.write(once)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

        for start in range(0, count, 10):
            await asyncio.gather(*(append(n) for n in range(start, min(start + 10, count))))


def main() -> None:
    """Append what the arguments say."""
    asyncio.run(append_all(sys.argv[1], sys.argv[2], int(sys.argv[3])))


if __name__ == "__main__":
    main()
