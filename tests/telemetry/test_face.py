"""The public face of what a process tells of itself."""

import placet.telemetry


def test_the_public_names_are_pinned() -> None:
    assert placet.telemetry.__all__ == [
        "Check",
        "Health",
        "NoTraces",
        "TelemetrySettings",
        "about",
        "carried",
        "case_span",
        "here",
        "metrics",
        "note",
        "now_about",
        "serve_metrics",
        "served",
        "span",
        "telling",
        "together",
        "trace_of",
        "without_tokens",
    ]
    assert all(hasattr(placet.telemetry, name) for name in placet.telemetry.__all__)
