"""The HTTP door: turns requests into use cases and results into the wire's JSON."""

from unitask.api.application import create_app

__all__ = ["create_app"]
