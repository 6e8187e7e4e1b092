"""HTTP: the lookup in front, the API behind it, one application for both."""
