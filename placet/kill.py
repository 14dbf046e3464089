"""Named kill points: where tests make a process die as if its power were cut (I11).

Nothing happens unless ``PLACET_KILL_AT`` names the point; with commas between them, several.
``PLACET_KILL_ONCE`` is a folder that is there: a file with the point's name is made in it before
the process dies, so that the same command started again gets past that point.
``PLACET_KILL_WITH`` is another signal's name (``SIGTERM``): the process is then told to stop there,
and goes on until it does.

``PLACET_KILL_ARMED`` is a folder in which a point is armed while the process runs: a file with the
point's name, which says ``KILL`` or ``STOP``, is taken away by the process that comes there first,
and it dies, or stands still until someone lets it go on.
"""

import os
import signal
from pathlib import Path


def kill_point(name: str) -> None:
    """Die, stop or be told to stop here if that was asked for, as the module says."""
    armed = os.environ.get("PLACET_KILL_ARMED")
    if armed is not None:
        _if_armed(Path(armed) / name)
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


def _if_armed(point: Path) -> None:
    taken = point.with_name(f"{point.name}.{os.getpid()}")
    try:
        point.rename(taken)
    except FileNotFoundError:
        return
    stops = taken.read_text() == "STOP"
    os.kill(os.getpid(), signal.SIGSTOP if stops else signal.SIGKILL)
