"""The public face of what a process tells of itself."""

import placet.telemetry


def test_the_public_names_are_pinned() -> None:
    assert placet.telemetry.__all__ == [
        "STOP_SECONDS",
        "Check",
        "Health",
        "Serving",
        "TelemetrySettings",
        "about",
        "bind",
        "metrics",
        "now_about",
        "serve_metrics",
        "set_up_logs",
    ]
    assert all(hasattr(placet.telemetry, name) for name in placet.telemetry.__all__)
