"""What is done once under a grant: told to the authority before, answered anew when asked anew."""

from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session

from lender._uses import Use
from placet.kill import kill_point
from placet.model import Digest, Model

Done = TypeVar("Done", bound=Model)


async def do_once(
    use: Use,
    digest: Digest,
    *,
    before: Callable[[Session], Done | None],
    require: Callable[[], None],
    do: Callable[[Session], Done],
) -> Done:
    """Do it, or answer what was answered when it was done (I11).

    Args:
        use: of the grant, on this request.
        digest: of what is asked for.
        before: what was answered when it was done, if it was; raises if something else was done.
        require: raises unless the grant fixes what is asked for.
        do: does it, looking once more whether it was done.

    Raises:
        Failure: one of the three says so.
        Refused: the authority did not take the intent.
    """
    answer = await use.read(before)
    if answer is not None:
        return await use.run(lambda _: answer, digest)
    require()
    await use.intend(digest)
    kill_point("servicing.after-intent")
    done = await use.run(do, digest)
    kill_point("servicing.after-commit")
    return done
