"""Enforcement inside a Python service: ASGI middleware over a node's local copy."""
