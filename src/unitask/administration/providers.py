"""Giving and taking back the keys for providers that accounts bring themselves, with a line in the audit log."""

from unitask.accounts.credentials import Credential, Credentials
from unitask.administration import audit
from unitask.db import Database, Transaction
from unitask.kit.clock import Clock


class ProviderKeys:
    """Changes are felt here at once, in other API processes within a second."""

    def __init__(self, database: Database, clock: Clock, credentials: Credentials) -> None:
        self._database = database
        self._clock = clock
        self._credentials = credentials

    async def give(self, account_id: int, provider: str, key: str, *, actor: str) -> Credential:
        """Let an account's tasks at a provider use its own key, in place of the one that it gave before.

        Raises:
            InvalidRequest: no key is like this one.
            Conflict: the account has keys for too many providers.
            Unavailable: keys cannot be encrypted here.

        """

        async def work(tx: Transaction) -> Credential:
            given = await self._credentials.put(tx, account_id, provider, key)
            await self._note(tx, "credential.put", account_id, provider, actor)
            return given

        given = await self._database.write(work)
        self._credentials.forget()
        return given

    async def take_back(self, account_id: int, provider: str, *, actor: str) -> None:
        """Let an account's tasks at a provider use the operator's key again.

        Raises:
            NotFound: the account has no key of its own for it.

        """

        async def work(tx: Transaction) -> None:
            await self._credentials.remove(tx, account_id, provider)
            await self._note(tx, "credential.remove", account_id, provider, actor)

        await self._database.write(work)
        self._credentials.forget()

    async def _note(self, tx: Transaction, action: str, account_id: int, provider: str, actor: str) -> None:
        now = self._clock.now_us()
        await audit.write(tx, actor=actor, action=action, account_id=account_id, now=now, provider=provider)
