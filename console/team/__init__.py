"""Views over many accounts: the portfolio, what changed, how right the model was."""
