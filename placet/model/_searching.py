"""By what a case is found in Temporal's own lists (search attributes), none of it personal.

They stand in clear, for whoever runs Temporal. So a record is a tag under the authority's key, and
what people said stays out.
"""

from enum import StrEnum

SUBJECT = "subject"
"""What a case's memo has of it: its record, encrypted."""


class SearchAttribute(StrEnum):
    """The names, as Temporal's namespace has them; each is a keyword."""

    PROCESS = "PlacetProcess"
    """The process and its version: ``loan-draw/3``."""

    RECORD = "PlacetRecord"
    """The record that the case is about, as a tag: the same for each case about it."""

    STAGE = "PlacetStage"
    CHECKPOINT = "PlacetCheckpoint"
    """The checkpoint that the case waits at, or that has returned it."""

    OUTCOME = "PlacetOutcome"
    """The result with which the case was closed."""


class Stage(StrEnum):
    """How a case stands, as far as its workflow knows."""

    RUNNING = "running"
    WAITING = "waiting"
    """People are asked at a checkpoint."""

    RETURNED = "returned"
    """A checkpoint has returned it; it waits to be handed in again."""

    STOPPED = "stopped"
    """A step was denied; a person has to look."""

    CLOSED = "closed"
