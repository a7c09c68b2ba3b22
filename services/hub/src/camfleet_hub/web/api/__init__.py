"""The REST API under /api: a module for each noun, the document that describes it, and a page."""
