"""Tests of the ``placet`` command."""
