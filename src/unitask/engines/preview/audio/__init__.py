"""Stand-in sound: placeholder speech, music played from a few rules, and noises for silent films."""
