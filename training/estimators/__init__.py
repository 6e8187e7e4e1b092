"""Effect estimators: one interface, the R-learner on dose as default, others to compare it with."""
