"""The emulator: the whole API without any model, for people who test what they build on it.

Every product answers at once with a card (see `unitask.engines.preview.card`); a request may say what shall happen to
it (`script`), and time is a clock that tests move on (`clock`).
"""
