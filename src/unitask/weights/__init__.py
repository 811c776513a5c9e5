"""Weights of models: cards that say what there is, and a shelf that says what lies here."""

from unitask.weights.card import Card, License
from unitask.weights.shelf import Manifest, Shelf

__all__ = ["Card", "License", "Manifest", "Shelf"]
