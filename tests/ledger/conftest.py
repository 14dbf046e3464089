"""The command as people run it, for the witness."""

from tests.cli.conftest import placet

__all__ = ["placet"]
