"""Accounts and plans, as the operator sets them."""

import re
from dataclasses import replace
from typing import Final

from unitask.accounts import repository
from unitask.accounts.limits import NO_LIMITS, Limits
from unitask.accounts.model import Account, Change, Plan
from unitask.accounts.service import OPEN_PLAN
from unitask.administration import audit
from unitask.billing import repository as ledger
from unitask.billing.model import Entry, Kind
from unitask.billing.packs import drawn
from unitask.db import Database, Transaction
from unitask.kit.clock import Clock
from unitask.kit.errors import Conflict, InvalidRequest, NotFound

_NAME_LENGTH: Final = 200
PLAN_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Names of plans stand in addresses of the admin API, so they are made of what means nothing there."""


class Registry:
    """Opens and changes accounts and plans. `actor` is who decides, for the audit log."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open_account(
        self, name: str, *, actor: str, plan: str = OPEN_PLAN, limits: Limits = NO_LIMITS, unlimited: bool = False
    ) -> Account:
        """Open an account with an empty balance; an unlimited one needs none.

        Raises:
            Conflict: there is one of this name.
            NotFound: there is no such plan.

        """
        if not name.strip() or len(name) > _NAME_LENGTH:
            raise InvalidRequest(f"invalid request: an account's name has 1 to {_NAME_LENGTH} characters")
        await self._require_plan(plan)
        now = self._clock.now_us()

        async def work(tx: Transaction) -> int:
            if await repository.find_named(tx, name):
                raise Conflict(f"there is an account named {name!r}")
            number = await repository.add(tx, name=name, plan=plan, limits=limits, unlimited=unlimited, now=now)
            await audit.write(
                tx,
                actor=actor,
                action="account.open",
                account_id=number,
                now=now,
                name=name,
                plan=plan,
                unlimited=unlimited,
                limits=repository.document(limits),
            )
            return number

        return await self.account(await self._database.write(work))

    async def account(self, account_id: int) -> Account:
        """Read an account.

        Raises:
            NotFound: there is none.

        """
        account = await repository.read(self._database, account_id)
        if account is None:
            raise NotFound(f"no account {account_id}")
        return account

    async def named(self, name: str) -> Account:
        """Read an account by its name.

        Raises:
            NotFound: there is none.

        """
        account = await self._database.write(lambda tx: repository.find_named(tx, name))
        if account is None:
            raise NotFound(f"no account named {name!r}; `unitask accounts list` shows them")
        return account

    async def accounts(self, *, after: int = 0, most: int = 100) -> list[Account]:
        """List accounts by number, those behind `after`."""
        return await repository.list_accounts(self._database, after=after, most=most)

    async def set_account(
        self,
        account_id: int,
        *,
        actor: str,
        plan: str | None = None,
        limits: Limits | None = None,
        enabled: bool | None = None,
        unlimited: bool | None = None,
    ) -> Account:
        """Change what is given. An unlimited account that becomes prepaid begins with what it has, at least zero.

        Raises:
            NotFound: there is no such account or plan.

        """
        if plan is not None:
            await self._require_plan(plan)
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            account = (await repository.lock(tx, [account_id])).get(account_id)
            if account is None:
                raise NotFound(f"no account {account_id}")
            if unlimited is False and account.unlimited:
                await _make_prepaid(tx, account, now)
            new = replace(
                account,
                plan=account.plan if plan is None else plan,
                own_limits=account.own_limits if limits is None else limits,
                enabled=account.enabled if enabled is None else enabled,
                unlimited=account.unlimited if unlimited is None else unlimited,
            )
            await repository.set_account(tx, new, now)
            await audit.write(
                tx,
                actor=actor,
                action="account.set",
                account_id=account_id,
                now=now,
                plan=new.plan,
                limits=repository.document(new.own_limits),
                enabled=new.enabled,
                unlimited=new.unlimited,
            )

        await self._database.write(work)
        return await self.account(account_id)

    async def plans(self) -> list[Plan]:
        """List plans."""
        return await repository.list_plans(self._database)

    async def put_plan(self, name: str, limits: Limits, *, actor: str) -> Plan:
        """Make a plan, or give an existing one other limits: its accounts have them at once."""
        _check_plan_name(name)
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            await repository.put_plan(tx, name, limits, now)
            await audit.write(
                tx,
                actor=actor,
                action="plan.put",
                account_id=None,
                now=now,
                name=name,
                limits=repository.document(limits),
            )

        await self._database.write(work)
        return Plan(name, limits, now)

    async def remove_plan(self, name: str, *, actor: str) -> None:
        """Remove a plan.

        Raises:
            InvalidRequest: no plan can have this name.
            Conflict: there is none, it has accounts, or it is the one of new accounts.

        """
        _check_plan_name(name)
        if name == OPEN_PLAN:
            raise Conflict(f"the plan {OPEN_PLAN} is the one of new accounts and stays; set its limits instead")
        now = self._clock.now_us()

        async def work(tx: Transaction) -> None:
            if not await repository.remove_plan(tx, name):
                raise Conflict(f"the plan {name!r} cannot be removed: there is none, or accounts are on it")
            await audit.write(tx, actor=actor, action="plan.remove", account_id=None, now=now, name=name)

        await self._database.write(work)

    async def _require_plan(self, name: str) -> None:
        names = [plan.name for plan in await self.plans()]
        if name not in names:
            raise NotFound(f"no plan {name!r}; there are {', '.join(names)}")


def _check_plan_name(name: str) -> None:
    if not re.fullmatch(PLAN_NAME, name):
        raise InvalidRequest(
            f"invalid request: {name[:80]!r} cannot name a plan: 1 to 64 letters (a to z), digits, dots, dashes and "
            "underscores can, with a letter or a digit first"
        )


async def _make_prepaid(tx: Transaction, account: Account, now: int) -> None:
    """Forgive what work without limit has taken beyond zero, and give what is left a pack that does not expire."""
    reason = "what the account used while it was unlimited"
    missing = max(0, -account.available_points)
    if missing:
        await ledger.add(tx, [Entry(account.id, None, Kind.ADJUST_UP, missing, reason)], now)
        await repository.change(tx, {account.id: account}, [Change(account.id, available_points=missing)])
    left = account.available_points + missing + account.held_points
    packs = drawn(await ledger.open_packs(tx, account.id), left)
    await ledger.set_packs(tx, packs)
    uncovered = left - sum(pack.remaining for pack in packs)
    if uncovered:
        await ledger.add_pack(
            tx, account_id=account.id, points=uncovered, reason=reason, reference=None, expires_at=None, now=now
        )
