"""Measurements behind every speed and quality claim; each prints ratios against a baseline."""
