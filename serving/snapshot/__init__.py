"""The snapshot: a versioned, signed file of all current decisions, and deltas on top of it."""
