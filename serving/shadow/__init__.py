"""The challenger beside the champion: what it would do, and the few that it may decide for."""
