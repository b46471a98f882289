"""The pages of collections and documents, one file for each kind of thing they show."""
