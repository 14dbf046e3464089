"""Named kill points: where tests make a process die as if its power were cut (I11).

``PLACET_KILL_WITH`` is another signal's name (``SIGTERM``): the process is then told to stop there,
and goes on until it does. Nothing happens unless ``PLACET_KILL_AT`` names the point; with commas
between them, several. ``PLACET_KILL_ONCE`` is a folder that is there: a file with the point's name
is made in it before the process dies, so that the same command started again gets past that point.
"""

import os
import signal
from pathlib import Path


def kill_point(name: str) -> None:
    """Die by SIGKILL if ``PLACET_KILL_AT`` names ``name``, once if there is a folder to note it."""
    if name not in os.environ.get("PLACET_KILL_AT", "").split(","):
        return
    folder = os.environ.get("PLACET_KILL_ONCE")
    if folder is not None:
        try:
            descriptor = os.open(Path(folder) / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        os.fsync(descriptor)
        os.close(descriptor)
    os.kill(os.getpid(), signal.Signals[os.environ.get("PLACET_KILL_WITH", "SIGKILL")])
