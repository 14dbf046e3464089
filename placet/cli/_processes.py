"""The processes that installed packages bring."""

from collections.abc import Mapping
from importlib.metadata import entry_points

from placet.process import Process


def processes() -> Mapping[str, Process]:
    """All of them by name (entry points ``placet.processes``)."""
    return {each.name: each.load() for each in entry_points(group="placet.processes")}
