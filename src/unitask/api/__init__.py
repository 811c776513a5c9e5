"""The HTTP door: turns requests into use cases and results into the wire's JSON."""

from unitask.api.application import Application

__all__ = ["Application"]
