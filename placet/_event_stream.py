"""Reading server-sent events (WHATWG HTML, section 9.2): as much of them as the authority sends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from placet.model import Event


@dataclass(frozen=True)
class Told:
    """One block of a stream: where it has come to, and an event if it carries one."""

    last: int | None
    event: Event | None


async def read_blocks(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    """The blocks of a stream, one at a time.

    Raises:
        ValueError: what comes is no event stream of the authority's.
    """
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        data, number = fields.get("data"), fields.get("id")
        yield Told(
            last=None if number is None else int(number),
            event=None if data is None else Event.model_validate_json(data),
        )
        fields = {}
