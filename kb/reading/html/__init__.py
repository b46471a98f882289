"""HTML as a browser shows it: Markdown and the chapters of books end here too."""
