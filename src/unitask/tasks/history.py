"""Reading an account's tasks: pages for the wire that has page numbers, a cursor for the one that does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from unitask.accounts.model import Caller
from unitask.catalogue import Catalogue
from unitask.db import Database
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import InvalidRequest
from unitask.kit.ids import first_id
from unitask.kit.paging import LAST_ID, check_page, cut_page
from unitask.queue import repository as queue
from unitask.queue.model import State
from unitask.tasks import repository
from unitask.tasks.model import Page, Status, Stretch, Task

PAGE_LIMIT: Final = 100
_FAR_FUTURE_S: Final = 10**11


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of history: `page` from 1, times in seconds since the epoch, `family` empty for all."""

    page: int = 1
    size: int = 10
    family: str = ""
    start_s: int = 0
    end_s: int = _FAR_FUTURE_S


@dataclass(frozen=True, slots=True)
class ListRequest:
    """A list by cursor: tasks older than the task `before`, newest first; empty filters match all.

    Times are seconds since the epoch: from `start_s` on, before `end_s`.

    An idempotency key finds the one task that was ordered under it, whatever else is asked for.
    """

    before: str = ""
    size: int = 20
    status: str = ""
    model: str = ""
    task_type: str = ""
    start_s: int = 0
    end_s: int = _FAR_FUTURE_S
    idempotency_key: str = ""


class History:
    """Reads; changes nothing."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._families: dict[str, list[str]] = {}
        self._family_of: dict[str, str] = {}
        self._spelled: dict[str, str] = {}
        for product in catalogue:
            models = self._families.setdefault(product.family, [])
            if product.model not in models:
                models.append(product.model)
            self._family_of[product.key] = product.family
            self._spelled[product.model.lower()] = product.model

    @property
    def families(self) -> list[str]:
        """Names by which history groups products."""
        return sorted(self._families)

    def models(self, name: str) -> list[str]:
        """Tell which models a family, a model or `all` (as one empty text) stands for.

        Raises:
            InvalidRequest: no such family or model.

        """
        if name == "all":
            return [""]
        spelled = self._spelled.get(name.strip().lower())
        found = self._families.get(name) or ([spelled] if spelled else None)
        if found is None:
            raise InvalidRequest(
                f"invalid request: no model or family {name!r}; use all, or one of {', '.join(self.families)}"
            )
        return found

    def family_of(self, task: Task) -> str:
        """Tell the family of a task; its model if the product is gone from the catalogue."""
        return self._family_of.get(f"{task.model}/{task.task_type}", task.model)

    async def page(self, caller: Caller, request: PageRequest) -> Page:
        """Read one page, newest first.

        Raises:
            InvalidRequest: page, size or family cannot be.

        """
        if request.page < 1 or not 1 <= request.size <= PAGE_LIMIT:
            raise InvalidRequest(f"invalid request: page begins at 1 and page_size is 1 to {PAGE_LIMIT}")
        if request.family and request.family not in self._families:
            raise InvalidRequest(f"invalid request: no family {request.family!r}; there are {', '.join(self.families)}")
        return await repository.page(
            self._database,
            account_id=caller.account_id,
            models=self._families[request.family] if request.family else None,
            since=request.start_s * SECOND_US,
            until=request.end_s * SECOND_US,
            size=request.size,
            skip=(request.page - 1) * request.size,
        )

    async def newest(self, caller: Caller, request: ListRequest) -> Stretch:
        """List tasks, newest first.

        Raises:
            InvalidRequest: size, cursor or status cannot be.

        """
        check_page(size=request.size, limit=PAGE_LIMIT, before=request.before)
        if request.status and request.status not in list(Status):
            raise InvalidRequest(f"invalid request: status is one of {', '.join(Status)}")
        if request.idempotency_key:
            return Stretch(
                await repository.ordered_as(self._database, caller.account_id, request.idempotency_key), None
            )
        found = await repository.newest(
            self._database,
            account_id=caller.account_id,
            since=first_id(max(0, request.start_s) * SECOND_US),
            before=min(request.before or LAST_ID, first_id(max(0, request.end_s) * SECOND_US)),
            status=request.status,
            model=self._spelled.get(request.model.strip().lower(), request.model),
            task_type=request.task_type,
            size=request.size + 1,
        )
        return Stretch(*cut_page(found, request.size))

    async def show_many(self, task_ids: Iterable[str]) -> list[Task]:
        """Read tasks of whatever account: for messages, which go where their own tasks say."""
        return await repository.show_many(self._database, task_ids)

    async def active(self, caller: Caller) -> dict[str, dict[State, int]]:
        """Count an account's live tasks by family and state."""
        counts = {family: dict.fromkeys(State, 0) for family in self.families}
        for product, state, number in await queue.count_account(self._database, caller.account_id):
            family = self._family_of.get(product)
            if family:
                counts[family][state] += number
        return counts
