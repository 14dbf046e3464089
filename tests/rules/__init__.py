"""Deciding, tested as functions of values."""
