"""The durable records: what was known, what was decided, and who had a say in it."""
