"""Cases on the real parts, from their opening to their archive."""

import pytest

from tests.harness.databases import KINDS

both_databases = pytest.mark.parametrize("database", KINDS, indirect=True)
"""Runs a test on SQLite and on PostgreSQL: whatever decides, records, refuses or resumes."""
