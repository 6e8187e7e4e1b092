"""``python -m commands`` is ``flyball``."""

from commands.main import main

main()
