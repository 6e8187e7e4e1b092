"""A plain table of logged draws, from anywhere, analysed with the same estimators."""
