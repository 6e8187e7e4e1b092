"""How things look and read: templates, numbers, words, charts, messages."""
