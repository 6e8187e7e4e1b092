"""Usage in: wire records to durable, deduplicated events, sealed history and tiles."""
