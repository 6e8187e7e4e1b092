"""What a policy would have been worth on logged decisions, or why that cannot be said.

``logged`` holds the rows, ``overlap`` says whether they can speak, ``estimator`` turns them into
ratios of totals, ``value`` into an estimate with an interval clustered by organisation,
``comparison`` pairs a policy with a baseline, ``off_policy_gate`` gives the verdict, and
``sequence``, ``betting`` and ``harm_watch`` watch continuously. See
``docs/reference/off-policy.md``.
"""
