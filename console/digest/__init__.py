"""The daily digest: what each person should look at today, as a page and by mail."""
