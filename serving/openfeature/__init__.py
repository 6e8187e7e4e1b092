"""A tenant's decision as feature flags: the OpenFeature Remote Evaluation Protocol (OFREP)."""
