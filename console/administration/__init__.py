"""Users and what they see, the audit, guardrails and budgets, the kill switch."""
