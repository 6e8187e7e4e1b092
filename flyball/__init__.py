"""The words and rules of Flyball: standard library only, no I/O."""
