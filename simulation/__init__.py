"""A tenant population whose true effects are known; it meets the product only from outside."""
