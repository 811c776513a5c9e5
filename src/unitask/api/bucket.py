"""An account's own bucket, where its outputs go instead of the installation's store."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.passage import waiting
from unitask.api.requests import caller, message, route, services
from unitask.app import Services
from unitask.artifacts.model import Bucket
from unitask.kit.clock import rfc3339

_BUCKET: Final = "/api/v1/bucket"


class OwnBucket(BaseModel):
    """A bucket of an object store that speaks S3, and a key that may write, read and delete there."""

    model_config = ConfigDict(extra="ignore")

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Its name.")
    prefix: str = Field("", pattern=r"^([\w-]+/?){0,16}$", max_length=200, description="Before the names of files.")
    endpoint: str = Field(
        "",
        pattern=r"^(https?://[\w.:\[\]-]+/?)?$",
        max_length=300,
        description="Address of the store, beginning with https://; empty for Amazon's.",
    )
    region: str = Field("", pattern=r"^[a-z0-9-]{0,32}$", description="Empty for us-east-1.")
    access_key_id: str = Field(pattern=r"^[!-~]{1,128}$")
    secret_access_key: SecretStr = Field(min_length=1, max_length=256, description="Kept encrypted, shown to nobody.")

    @property
    def place(self) -> Bucket:
        """All but the secret."""
        return Bucket(self.bucket, self.prefix, self.endpoint.rstrip("/"), self.region, self.access_key_id)


async def _shown(unitask: Services, account_id: int) -> dict[str, Any] | None:
    owned = await unitask.artifacts.buckets.shown(account_id)
    if owned is None:
        return None
    place = owned.place
    return {
        "bucket": place.bucket,
        "prefix": place.prefix,
        "endpoint": place.endpoint,
        "region": place.region,
        "since": rfc3339(owned.since),
    }


async def read(request: Request) -> JsonAnswer:
    """`GET /api/v1/bucket`: what is set, without its credentials; null if nothing is."""
    who = await caller(request, Scope.ACCOUNT)
    return success(await _shown(services(request), who.account_id))


async def give(request: Request) -> JsonAnswer:
    """`PUT /api/v1/bucket`: let outputs go there, if a file can be written, read and deleted there now."""
    who = await caller(request, Scope.ACCOUNT)
    asked = await message(request, OwnBucket)
    unitask = services(request)
    with waiting(request):
        await unitask.artifacts.buckets.give(who.account_id, asked.place, asked.secret_access_key.get_secret_value())
    return success(await _shown(unitask, who.account_id))


async def take_back(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/bucket`: let outputs go to the installation's store again; what is in the bucket stays."""
    who = await caller(request, Scope.ACCOUNT)
    await services(request).artifacts.buckets.take_back(who.account_id)
    return success(None)


ROUTES = [route("GET", _BUCKET, read), route("PUT", _BUCKET, give), route("DELETE", _BUCKET, take_back)]
