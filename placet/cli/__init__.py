"""The ``placet`` command."""

from placet.cli._app import main
from placet.cli._audit import print_report, print_timeline, replay_case
from placet.cli._base import (
    AWAY,
    REFUSED,
    USAGE,
    CommandFailed,
    console,
    data_folder,
    fail,
    failures,
    run,
    show,
)
from placet.cli._fetch import fetch_log

__all__ = [
    "AWAY",
    "REFUSED",
    "USAGE",
    "CommandFailed",
    "console",
    "data_folder",
    "fail",
    "failures",
    "fetch_log",
    "main",
    "print_report",
    "print_timeline",
    "replay_case",
    "run",
    "show",
]
