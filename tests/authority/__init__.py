"""Tests of the authority."""

ORIGIN = "authority.example/ledger"
