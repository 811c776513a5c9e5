"""Statuses, levels, refusals and prices in words: said once, for the OpenAPI document and the reference page alike."""

from dataclasses import dataclass
from typing import Final

from unitask.kit import errors
from unitask.kit.money import usd
from unitask.spec.product import Level, Product
from unitask.tasks.model import Status

STATUSES: Final[dict[Status, str]] = {
    Status.PENDING: "Accepted, and waits for a worker. Its price is frozen.",
    Status.STAGED: "Accepted, and waits until one of the account's running tasks has ended; then it is pending.",
    Status.PROCESSING: "A worker makes it; `meta.progress` says how far it is.",
    Status.COMPLETED: "Made. `output` holds the result, and the price is charged.",
    Status.FAILED: "Ended without a result, or was cancelled. `error.message` says why; the price is given back.",
}
LEVELS: Final[dict[Level, str]] = {
    "full": "The model itself makes it.",
    "basic": "A real result, made of your own media by classical algorithms, or by another model than the named one.",
    "preview": "A labelled stand-in of the right size, length and format; no model runs.",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP status other than 200: when it comes, and what to change."""

    status: int
    when: str
    change: str


REFUSALS: Final = {
    refusal.status: refusal
    for refusal in (
        Refusal(
            400,
            "The body is not JSON, no product has this `model` and `task_type`, or a field is wrong.",
            "Read the message: it names the field and what the field may hold, or the nearest name.",
        ),
        Refusal(401, "The API key is missing, wrong, expired or revoked.", "Send a valid key as `X-API-Key`."),
        Refusal(
            402,
            "The balance does not cover the price, or the day's spending has reached its limit.",
            "Top up the account, or wait for the next day (UTC).",
        ),
        Refusal(
            403,
            "The key may not do this: it lacks the scope, the product or the address, or the account is disabled.",
            "Read the message; use another key, or ask the operator.",
        ),
        Refusal(
            404,
            "There is nothing under this address, or not in this account.",
            "Check the id. Files are deleted after a time: download them before.",
        ),
        Refusal(
            409,
            "What is there does not allow this: the task has ended, the name is taken, the key no longer works, the "
            "message cannot be sent again, the file has not come or has come already, or too much is pinned.",
            "Read the message. A task that has ended cannot be cancelled: read it instead.",
        ),
        Refusal(413, "The body is too large.", "Send large media by URL instead of base64."),
        Refusal(
            422,
            "The `Idempotency-Key` was used with another body.",
            "Use a new key for a new order; send the very same body to repeat one.",
        ),
        Refusal(
            429,
            "As many tasks wait as the account may have waiting, or too many requests came this minute.",
            "Wait as many seconds as `Retry-After` says, then send the request again.",
        ),
        Refusal(500, "Something broke here.", "Try again later; the operator's log says more."),
        Refusal(
            503,
            "No engine here can make this product, or the server cannot work at present.",
            "Read the message: it says what the operator has to install or set. Else try again later.",
        ),
    )
}

BEFORE_ROUTES: Final = {
    refusal.status: refusal
    for refusal in (
        Refusal(
            405,
            "The address exists, and not for this method.",
            "Look the method up in the list of routes.",
        ),
        Refusal(
            408,
            "The head of the request or its body came too slowly, see `UNITASK_SLOW_CLIENT_S`.",
            "Send it again over a better connection; send large media by URL.",
        ),
        Refusal(414, "The address with its query is too long.", "Put less into the query."),
        Refusal(431, "The head of the request has too many fields or bytes.", "Send fewer and shorter fields."),
    )
}
"""What is answered before a route is found, so that no route lists it."""

FAILURES: Final[dict[type[errors.TaskFailure], tuple[str, str]]] = {
    errors.TaskFailure: (
        "The task passed its deadline, no engine was left for it, or its workers died too often.",
        "Order it again; if it fails again, the operator looks at workers and log.",
    ),
    errors.MediaFailure: (
        (
            "An input could not be fetched or decoded, or is larger than the product takes. The message begins with "
            "the phrase of the product and ends with what is wrong."
        ),
        "Change the input: an address that answers a plain `GET`, a format and a size that the message names.",
    ),
    errors.EngineFailure: (
        "The engine crashed, ran out of memory or passed the time of the product.",
        "Order it again, or smaller: fewer pixels, frames or seconds. `UNITASK_ENGINE_MEMORY_BYTES` is the operator's.",
    ),
    errors.DeviceFailure: (
        "A GPU failed under the task, and so did the attempts after it.",
        "Order it again; the operator looks at the device.",
    ),
    errors.ProviderAway: (
        "No provider that could make it answered, or all were busy.",
        "Order it again later.",
    ),
    errors.ProviderUnsure: (
        (
            "A provider was sent the order and then lost sight of. It is not sent twice, because it may have been made "
            "and charged there."
        ),
        "Order it again if you can bear that it was made twice.",
    ),
    errors.ProviderRefused: (
        "A provider understood the order and will not make it; `raw_message` has its words.",
        "Change the input, or ask the operator for another route.",
    ),
    errors.JobFailed: (
        "A provider began, and failed for a reason of its own.",
        "Order it again, or ask the operator for another route.",
    ),
    errors.JobLost: (
        "A provider does not know the job any more that it took.",
        "Order it again.",
    ),
    errors.Cancelled: (
        "The task was cancelled by its account.",
        "Nothing; the price was given back.",
    ),
}
"""Why a task failed, and what to change; on the wire all have the code 10000 and differ by their sentence."""

KEY: Final = (401, 403, 429)
"""What every route that takes a key may answer."""


def dollars(points: int) -> str:
    """Write points as dollars, all digits that count and at least two: `$0.0015`, `$0.10`."""
    whole, _, fraction = f"{usd(points):,.7f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def price(product: Product) -> str:
    """Write the price rule: `15,000 points ($0.0015) per image`."""
    points = product.price.points_per_unit
    return f"{points:,} points ({dollars(points)}) per {product.price.unit}"


def limits(product: Product) -> str:
    """Write how long an attempt takes and how long the outputs stay."""
    days = "1 day" if product.keep_days == 1 else f"{product.keep_days} days"
    return (
        f"Usually takes about {product.expected_s:g} s and is ended after {product.limit_s} s; "
        f"outputs are kept for {days}"
    )
