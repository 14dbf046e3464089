"""Signed acts: a dispatcher, and one module for each kind of thing that they change."""

from placet.authority._acts._act import ADMINISTRATOR
from placet.authority._acts._acts import Acts
from placet.authority._acts._cases import OPENING
from placet.authority._acts._identities import enrol

__all__ = ["ADMINISTRATOR", "OPENING", "Acts", "enrol"]
