"""One agent's worker."""
