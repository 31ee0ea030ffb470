"""The page: its scripts and style, and the Sphinx extension that brings them in. See README.md."""
