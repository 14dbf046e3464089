"""Signed acts: a dispatcher, and one module for each kind of thing that they change."""

from placet.authority._acts._acts import Acts
from placet.authority._acts._cases import OPENING
from placet.authority._acts._emergencies import end_emergencies, list_reviews
from placet.authority._acts._identities import Worker, enrol
from placet.authority._acts._proposals import lapse_proposals, list_proposals, show_proposal

__all__ = [
    "OPENING",
    "Acts",
    "Worker",
    "end_emergencies",
    "enrol",
    "lapse_proposals",
    "list_proposals",
    "list_reviews",
    "show_proposal",
]
