"""From the bytes of a file to sections of clean text, each with its place. Knows nothing of Django."""
