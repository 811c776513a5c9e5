"""The web page for people at `/dashboard`: static files that use the public HTTP API with the visitor's key."""

from unitask.dashboard.serving import routes

__all__ = ["routes"]
