"""Families of response: one module each, told apart by name in ``families``."""
