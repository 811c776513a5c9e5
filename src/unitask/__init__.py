"""Unitask: one self-hosted API for every generative-media model."""

__version__ = "0.1.0"
