"""How every tenant stands now: the console's read model."""
