"""What all calls to one provider share, whoever makes them."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from pydantic import SecretStr

from unitask.kit.net import Guard, Refused
from unitask.remote.breaker import Breaker
from unitask.remote.calls import HttpCalls
from unitask.spec.remote import Provider, RemoteEngine


class Access:
    """The connections to a provider, what its results may be read from, and how it has been found.

    `allow_private`: see `unitask.kit.net.Guard`.
    """

    def __init__(self, provider: Provider, engine: RemoteEngine, *, allow_private: bool) -> None:
        self.breaker = Breaker()
        self._provider = provider
        self._engine = engine
        self._guard = Guard(allow_private=allow_private or _is_near(provider.url or engine.url))
        limits = httpx.Limits(max_connections=2 * provider.at_once + 8, max_keepalive_connections=provider.at_once)
        # Accounts with keys of their own share the connections, so that nothing a provider says of one is kept.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        timeout = httpx.Timeout(None, connect=10.0)
        self._http = httpx.AsyncClient(trust_env=False, timeout=timeout, limits=limits, cookies=no_cookies)

    @property
    def has_key(self) -> bool:
        """Tell whether anything can be asked in the operator's name."""
        return self._provider.key is not None or not self._engine.asks_key

    def calls(self, own_key: SecretStr | None = None, *, counts: bool = True, trace: str | None = None) -> HttpCalls:
        """Give the way to it: with the operator's key, or an account's own; `counts`: its failures open the breaker.

        `trace`: what the calls are part of.
        """
        breaker = self.breaker if counts else Breaker()
        return HttpCalls(
            self._provider,
            self._engine,
            self._http,
            guard=self._guard,
            breaker=breaker,
            own_key=own_key,
            trace=trace,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _is_near(url: str) -> bool:
    """Tell whether a provider lies on this machine or a private network: then it may name addresses there."""
    try:
        Guard().check_url(url)
    except Refused:
        return True
    return False
