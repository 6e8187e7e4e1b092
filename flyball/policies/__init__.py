"""The policies that ship with the product, simplest first; one module each."""
