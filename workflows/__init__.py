"""The lender's processes."""
