"""Named kill points: where tests make a process die as if its power were cut (I11).

Nothing happens unless ``PLACET_KILL_AT`` names the point. ``PLACET_KILL_ONCE`` is the path of a
marker file: it is made before the process dies, so that the same command started again lives.
"""

import os
import signal


def kill_point(name: str) -> None:
    """Die by SIGKILL if ``PLACET_KILL_AT`` is ``name`` and the marker file is not there yet."""
    if os.environ.get("PLACET_KILL_AT") != name:
        return
    marker = os.environ.get("PLACET_KILL_ONCE")
    if marker is not None:
        try:
            descriptor = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.fsync(descriptor)
        os.close(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)
