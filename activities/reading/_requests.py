"""What the steps of a reading are given."""

from placet.process import Reasoned, StepRequest


class CheckReading(StepRequest):
    """Hold the readers' statements to their places; how each reader's work ended."""

    runs: tuple[Reasoned, ...]
