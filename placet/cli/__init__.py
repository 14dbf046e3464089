"""The ``placet`` command, and what packages that bring commands of their own need.

All but ``main`` is loaded when it is first asked for: an auditor's machine has no server.
"""

import importlib
from typing import TYPE_CHECKING, Any

from placet.cli._main import main

if TYPE_CHECKING:
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
    from placet.cli._codes import record_case
    from placet.cli._documents import (
        File,
        NoDocument,
        Spot,
        fetch_document,
        files_of,
        read_text,
        read_value,
        subject_named,
        value_at,
    )
    from placet.cli._examining import print_report, print_timeline
    from placet.cli._fetch import fetch_case, fetch_log
    from placet.cli._output import offline_failures
    from placet.cli._pages import Found, NoText, Page, find
    from placet.cli._processes import processes
    from placet.cli._published import newest_matrix
    from placet.cli._reviews import begin_campaign, unheard
    from placet.cli._settings import OperatorSettings, load_settings

__all__ = [
    "AWAY",
    "REFUSED",
    "USAGE",
    "CommandFailed",
    "File",
    "Found",
    "NoDocument",
    "NoText",
    "OperatorSettings",
    "Page",
    "Spot",
    "begin_campaign",
    "console",
    "data_folder",
    "fail",
    "failures",
    "fetch_case",
    "fetch_document",
    "fetch_log",
    "files_of",
    "find",
    "load_settings",
    "main",
    "newest_matrix",
    "offline_failures",
    "print_report",
    "print_timeline",
    "processes",
    "read_text",
    "read_value",
    "record_case",
    "run",
    "show",
    "subject_named",
    "unheard",
    "value_at",
]
_PARTS = {
    "_audit": ("print_report", "print_timeline", "record_case"),
    "_documents": (
        *("File", "NoDocument", "Spot"),
        *("fetch_document", "files_of", "read_text", "read_value", "subject_named", "value_at"),
    ),
    "_fetch": ("fetch_case", "fetch_log"),
    "_output": ("AWAY", "REFUSED", "USAGE", "CommandFailed", "console", "fail", "offline_failures"),
    "_pages": ("Found", "NoText", "Page", "find"),
    "_processes": ("processes",),
    "_published": ("newest_matrix",),
    "_reviews": ("begin_campaign", "unheard"),
    "_settings": ("OperatorSettings", "load_settings"),
}
"""Where names are that need no server; all others are in ``_base``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    part = next((each for each, names in _PARTS.items() if name in names), "_base")
    return getattr(importlib.import_module(f"placet.cli.{part}"), name)
