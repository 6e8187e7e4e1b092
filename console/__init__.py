"""Pages for customer success: review, override, follow up. Nothing is built here yet."""
