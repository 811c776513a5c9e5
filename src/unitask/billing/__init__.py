"""The ledger: every movement of points, double entry and append-only."""
