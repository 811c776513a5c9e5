"""Speech in the voice of a recording: F5-TTS, the vocoder Vocos, and Whisper for recordings whose words are not said.

Recordings and speech have one channel and `mel.RATE` samples a second here; times are counted in frames of `mel.HOP`.
"""
