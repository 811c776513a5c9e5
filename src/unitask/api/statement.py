"""The account's own money: packs and the statement of a period."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from unitask.accounts.model import Caller, Scope
from unitask.api.envelope import success
from unitask.api.requests import SECONDS_LIMIT, caller, number, route, services, text
from unitask.billing.model import Line
from unitask.kit.clock import DAY_US, SECOND_US, rfc3339
from unitask.kit.errors import InvalidRequest
from unitask.kit.money import exact_usd, usd

_COLUMNS: Final = ("id", "time", "kind", "task_id", "points", "change_points", "change_usd", "reason")
_FORMATS: Final = ("json", "csv")
_USUAL_US: Final = 30 * DAY_US
LINES_LIMIT: Final = 1000


def line_document(line: Line) -> dict[str, Any]:
    """Write one movement; `change_points` is what it does to the available points."""
    return {
        "id": line.id,
        "time": rfc3339(line.created_at),
        "kind": line.kind,
        "task_id": line.task_id,
        "points": line.points,
        "change_points": line.change,
        "change_usd": usd(line.change),
        "reason": line.reason,
    }


async def statement_answer(request: Request, account_id: int) -> ASGIApp:
    """Answer with the statement of an account, as JSON by pages or as CSV in one piece.

    Raises:
        InvalidRequest: the period, the format or the cursor cannot be.

    """
    unitask = services(request)
    now = unitask.clock.now_us()
    until = number(request, "end_time", -1, most=SECONDS_LIMIT) * SECOND_US
    until = now if until < 0 else until
    since = number(request, "start_time", -1, most=SECONDS_LIMIT) * SECOND_US
    since = until - _USUAL_US if since < 0 else since
    form = text(request, "format", "json")
    if form not in _FORMATS:
        raise InvalidRequest(f"invalid request: format is one of {', '.join(_FORMATS)}")
    if since > until:
        raise InvalidRequest("invalid request: start_time is after end_time")
    if form == "csv":
        return _as_csv(unitask.credit.all_lines(account_id, since=since, until=until))
    size = number(request, "limit", 100)
    if not 1 <= size <= LINES_LIMIT:
        raise InvalidRequest(f"invalid request: limit is 1 to {LINES_LIMIT}")
    from_us, after_id = _cursor(text(request, "cursor"), since)
    lines = await unitask.credit.lines(account_id, since=from_us, until=until, after_id=after_id, most=size + 1)
    summary = await unitask.credit.statement(account_id, since=since, until=until)
    shown = lines[:size]
    return success(
        {
            "start_time": rfc3339(since),
            "end_time": rfc3339(until),
            "opening_points": summary.opening_points,
            "closing_points": summary.closing_points,
            "totals": {
                kind.value: {"count": count, "points": points} for kind, (count, points) in summary.totals.items()
            },
            "lines": [line_document(line) for line in shown],
            "next_cursor": f"{shown[-1].created_at}-{shown[-1].id}" if len(lines) > size else None,
        }
    )


def _cursor(written: str, since: int) -> tuple[int, int]:
    if not written:
        return since, 0
    moment, _, line_id = written.partition("-")
    if not (moment.isdecimal() and line_id.isdecimal() and len(written) < 40) or int(moment) < since:  # noqa: PLR2004 - two numbers of 19 digits
        raise InvalidRequest("invalid request: cursor must be the next_cursor of an earlier answer")
    return int(moment), int(line_id)


async def csv_rows(lines: AsyncIterator[Line]) -> AsyncIterator[str]:
    """Write movements as CSV, row by row, with the names of the columns first."""
    yield _csv_row(_COLUMNS)
    async for line in lines:
        exact = {"change_usd": exact_usd(line.change), "reason": _plain(line.reason)}
        document = {**line_document(line), **exact}
        yield _csv_row([document[column] if document[column] is not None else "" for column in _COLUMNS])


def _as_csv(lines: AsyncIterator[Line]) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="statement.csv"'}
    return StreamingResponse(csv_rows(lines), media_type="text/csv", headers=headers)


def _csv_row(values: Any) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(values)
    return file.getvalue()


def _plain(value: str) -> str:
    """Keep a spreadsheet from reading a text as a formula."""
    return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t"} else value


async def statement(request: Request) -> ASGIApp:
    """`GET /api/v1/statement`: what came in and went out, the last 30 days if nothing else is asked for."""
    who: Caller = await caller(request, Scope.ACCOUNT)
    return await statement_answer(request, who.account_id)


ROUTES = [route("GET", "/api/v1/statement", statement)]
