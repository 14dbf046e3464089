"""What the console loads before its first screen: nothing that only a server, or a later act, needs."""

import subprocess
import sys

_LATER = {
    "temporalio",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
    "cedarpy",
    "openpyxl",
    "pypdf",
    "textual_serve",
    "placet.audit",
    "placet.authority",
    "lender",
    "workflows",
    "tui.checkpoint_panels",
    "tui.panels",
    "tui.views.pipeline",
    "tui.views.identities",
    "tui.views.ledger",
    "tui.views.overview",
    "tui.views.people",
    "placet.telemetry",
    "structlog",
    "opentelemetry",
}


def test_the_first_screen_loads_no_server_and_no_reader_of_documents() -> None:
    code = "import sys, placet.cli, tui.command, tui.app; print(*sys.modules, sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "tui.views.queue" in loaded
    assert not _LATER & loaded
