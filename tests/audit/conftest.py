"""One recorded log for all tests of the audit: they only read it."""

import pytest

from tests.audit.recording import Recorded, record


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Four cases, run once on the real parts."""
    return record(tmp_path_factory.mktemp("log"))
