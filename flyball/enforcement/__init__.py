"""How a limit is applied to requests: counters, verdicts, header fields, refusals. Pure rules."""
