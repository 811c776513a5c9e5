"""The bodies of the admin API and of the self-service of keys."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unitask.accounts.limits import NO_LIMITS, Limits
from unitask.accounts.model import CUSTOMER_SCOPES, Scope
from unitask.accounts.service import OPEN_PLAN
from unitask.administration.keyring import OVERLAP_S
from unitask.kit.clock import DAY_US

_Days = Annotated[int, Field(ge=1, le=36_500)]
_MOST: Final = 10**15
_NULLS: Final[dict[str, Any]] = {"limits": {}, "expires_in_days": None}


def expiry(days: int | None, now: int) -> int | None:
    """Tell when something ends that is to last so many days."""
    return None if days is None else now + days * DAY_US


def _has_nul(value: Any) -> bool:
    """Find what no database takes, in texts and names at any depth."""
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_nul, value))
        case dict():
            return any(map(_has_nul, (*value, *value.values())))
        case _:
            return False


class Body(BaseModel):
    """Refuses fields that it does not know: a misspelt limit must not become none.

    A null counts as absent, but null limits are none, and something that is to end in null days does not end.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if _has_nul(value):
            raise ValueError("texts must not contain the NUL character (\\u0000)")
        if not isinstance(value, dict):
            return value
        nulls = {name: _NULLS[name] for name, each in value.items() if each is None and name in _NULLS}
        return {name: each for name, each in value.items() if each is not None} | nulls


class NewAccount(Body):
    """An account to open."""

    name: str = Field(min_length=1, max_length=200)
    plan: str = OPEN_PLAN
    limits: Limits = Field(NO_LIMITS, description="Its own limits, which win over those of its plan.")
    unlimited: bool = Field(False, description="Whether it needs no balance.")


class AccountChange(Body):
    """What to change about an account."""

    plan: str | None = None
    limits: Limits | None = Field(
        None, description="All its own limits anew: those left out are its plan's. Null takes all away."
    )
    enabled: bool | None = Field(None, description="False: none of its keys may do anything.")
    unlimited: bool | None = Field(None, description="False: it is prepaid from now on.")


class TopUp(Body):
    """Points that come in, as points or as dollars."""

    points: int | None = Field(None, ge=1, le=_MOST, strict=True)
    usd: str | None = Field(None, max_length=32, description='Dollars as text, such as "20" or "19.99".')
    reason: str = Field("", max_length=500)
    reference: str | None = Field(
        None, min_length=1, max_length=200, description="A payment's number: the same again adds nothing."
    )
    expires_in_days: _Days | None = None


class Adjustment(Body):
    """A correction of a balance, down with a minus."""

    points: int = Field(ge=-_MOST, le=_MOST, strict=True)
    reason: str = Field(min_length=1, max_length=500)


class KeyTerms(Body):
    """What a new key is for and how long it works."""

    name: str = Field("", max_length=200)
    limits: Limits = NO_LIMITS
    expires_in_days: _Days | None = None


class NewKey(KeyTerms):
    """A key to make for an account."""

    scopes: frozenset[Scope] = Field(CUSTOMER_SCOPES, min_length=1, description="What it may be used for.")


class OwnKey(KeyTerms):
    """A key to make for one's own account."""

    scopes: frozenset[Scope] | None = Field(
        None, min_length=1, description="Among those of the key that asks, never admin; all of these if absent."
    )


class KeyChange(Body):
    """What to change about a key."""

    name: str | None = Field(None, max_length=200)
    scopes: frozenset[Scope] | None = Field(None, min_length=1)
    limits: Limits | None = Field(None, description="All its limits anew. Null takes all away.")
    expires_in_days: _Days | None = Field(None, description="From now. Null takes the end away.")

    @property
    def names_end(self) -> bool:
        """Whether the end is to change."""
        return "expires_in_days" in self.model_fields_set


class Rotation(Body):
    """How long the old key goes on working beside the new one."""

    overlap_s: int = Field(OVERLAP_S, ge=0, le=30 * 24 * 3600)


class PlanLimits(Body):
    """The limits of a plan: all of them."""

    limits: Limits = NO_LIMITS
