"""The controller's side of what it says to the API."""

from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from unitask.kit.errors import Unauthorized, Unavailable
from unitask.spec.cluster import DEMAND, REPORT, REPORTS, ClusterReport, DemandAnswer, ReportsAnswer

Answer = TypeVar("Answer", bound=BaseModel)
_TIMEOUT_S = 10.0


class Door:
    """Speaks to one API with the worker token.

    Every method raises `Unavailable` when it does not answer as it should, and `Unauthorized` when the token is wrong.
    """

    def __init__(self, api_url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=api_url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def demand(self) -> DemandAnswer:
        """Ask what is wanted of workers."""
        return self._understood(self._send("GET", DEMAND), DemandAnswer)

    def report(self, report: ClusterReport) -> None:
        """Say how the cluster is."""
        self._send("PUT", REPORT, report.model_dump_json().encode())

    def reports(self) -> ReportsAnswer:
        """Read what all controllers have said."""
        return self._understood(self._send("GET", REPORTS), ReportsAnswer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        try:
            answer = self._http.request(method, path, content=content, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise Unavailable(f"the API does not answer: {type(error).__name__} {error}") from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise Unauthorized("the API does not know this worker token; set UNITASK_WORKER_TOKEN to the API's")
        if answer.is_error:
            raise Unavailable(f"the API answered {answer.status_code}: {answer.text[:300]}")
        return answer

    @staticmethod
    def _understood(answer: httpx.Response, kind: type[Answer]) -> Answer:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise Unavailable(f"the answer is not from a Unitask API: {answer.text[:300]}") from error
