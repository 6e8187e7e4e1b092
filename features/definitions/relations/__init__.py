"""The relations that definitions aggregate, each with one key, ``sid`` (a row of the spine)."""
