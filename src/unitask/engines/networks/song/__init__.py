"""DiffRhythm: whole songs, with voice and instruments, from timed lyrics and a style."""
