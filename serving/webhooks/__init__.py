"""Webhooks: what happened, told to an address of the operator's, signed and tried until taken."""
