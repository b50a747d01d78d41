"""Files of those who use a session: into the directory where its shell is, and out of it."""
