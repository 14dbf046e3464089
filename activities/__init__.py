"""The steps that agents take in the lender's processes."""
