"""A gateway node's side: the local copy of decisions, what it is worth, and files made of it."""
