"""Tests of placet.tokens."""
