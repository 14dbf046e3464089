"""Placet: regulated work, done by agents, decided by people, provable afterwards."""

__version__ = "0.1.0"
