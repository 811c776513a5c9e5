"""Technique that knows nothing of tasks: errors, clock, ids, money, network, media, log, faults."""
