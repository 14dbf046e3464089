"""Payloads of a case: encrypted for whom they are."""
