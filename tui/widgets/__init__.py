"""Widgets that know neither the authority nor a process."""
