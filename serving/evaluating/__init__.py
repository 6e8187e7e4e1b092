"""Scoring on demand: the published feature table, the live context, and what they say now."""
