"""The page of one account: what is decided, why, what happened, and what else might be."""
