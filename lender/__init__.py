"""The lender's reference systems of record, its samples, and its own commands."""
