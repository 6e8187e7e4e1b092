"""Learning: dataset, fits, gates, registry, and the bundle that serving trusts."""
