"""A websocket that goes where it was told: the key goes along, and a server that sends us on is not the provider."""

from websockets.asyncio.client import connect


class Direct(connect):
    """Follows no redirect."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Fail."""
        return exc
