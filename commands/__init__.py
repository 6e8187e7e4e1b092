"""The ``flyball`` command line: the only place where everything is wired."""
