"""My accounts: the list, its filters and columns, saved views, export."""
