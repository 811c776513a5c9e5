"""Everything that an installation is made of suffers at random while clients order; then it is audited.

`python -m support.chaos` (`make chaos`) runs it; `docs/guide/faults.md` says what is done and what must hold.
"""
