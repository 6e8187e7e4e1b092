"""Deciding continuously and answering at gateway speed."""
