"""Envoy's gRPC protocols: external authorisation, rate limits, and rate limit quotas."""
