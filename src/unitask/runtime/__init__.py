"""What engines of real models share in one process: models in memory, progress, styles, pictures and films.

Nothing is imported here: its modules need torch, which only engine processes load. `clips` and `pictures` do without.
"""
