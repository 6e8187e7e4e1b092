"""A say in it: overrides, second pair of eyes, notes, tasks, contacts, feedback, many at once."""
