"""Small files to send: real heads, so that they are what they claim to be."""

import base64

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
WAV = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data"
)


def base64_of(content: bytes) -> str:
    """Write bytes as bare base64."""
    return base64.b64encode(content).decode()


def data_uri(content: bytes, content_type: str = "image/png") -> str:
    """Write bytes as a data URI."""
    return f"data:{content_type};base64,{base64_of(content)}"
