"""OWASP Non-Human Identities Top 10 (2025): one attack for each, and it fails."""
