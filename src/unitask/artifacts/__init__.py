"""Stored files: uploads, inputs that came inside a request, outputs."""
