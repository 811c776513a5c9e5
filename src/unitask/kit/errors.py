"""Every error that a caller of Unitask can meet, in one tree.

    UnitaskError                      500
      InvalidRequest                  400  the body cannot be understood
        InvalidInput                  400  a field of the input is wrong; names its path
        UnknownProduct                400  no such model or task type
      Unauthorized                    401
      InsufficientCredits             402
      Forbidden                       403
      NotFound                        404
      Conflict                        409
      BodyTooLarge                    413
      IdempotencyMismatch             422
      TooManyRequests                 429  carries retry_after_s
        TooManyTasks                  429
      Unavailable                     503  no engine for the product, or the database is away
      TaskFailure                          an attempt ended without a result
        MediaFailure                       an input could not be fetched or decoded
        EngineFailure                      the engine broke: crash, memory, deadline
          DeviceFailure                    the device failed: another process may do better
          ProviderAway                     a provider could not be reached, is busy or broken; it began nothing
          ProviderUnsure                   a provider was sent an order, and nothing is known of it
          ProviderRefused                  a provider understood and said no; carries its status
          JobFailed                        a provider's job failed there: another engine may do better
          JobLost                          a provider does not know its job any more
        Cancelled                          the client took the order back

`status` is the HTTP status, `code` a stable word for programs, the text a sentence that says what to change. Only
`unitask.api.errors` turns them into answers.
"""

from typing import ClassVar, Final


class UnitaskError(Exception):
    """The root of the tree; its text is meant for the person who sent the request."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"


class InvalidRequest(UnitaskError):
    """The request cannot be understood."""

    status = 400
    code = "invalid_request"


class InvalidInput(InvalidRequest):
    """A field of the input is missing, out of range or of the wrong type."""

    code = "invalid_input"


class UnknownProduct(InvalidRequest):
    """No product has this model and task type."""

    code = "unknown_product"


class Unauthorized(UnitaskError):
    """The key is missing or wrong."""

    status = 401
    code = "unauthorized"


class InsufficientCredits(UnitaskError):
    """The balance does not cover the quote."""

    status = 402
    code = "insufficient_credits"


class Forbidden(UnitaskError):
    """The key is right and may not do this."""

    status = 403
    code = "forbidden"


class NotFound(UnitaskError):
    """No such object, or it belongs to another account."""

    status = 404
    code = "not_found"


class Conflict(UnitaskError):
    """The object is in a state that does not allow this."""

    status = 409
    code = "conflict"


class BodyTooLarge(UnitaskError):
    """The request body passes the size limit."""

    status = 413
    code = "body_too_large"


class IdempotencyMismatch(UnitaskError):
    """The idempotency key was used before with another body."""

    status = 422
    code = "idempotency_mismatch"


class TooManyRequests(UnitaskError):
    """More came than may come in this time; it may come again after `retry_after_s` seconds."""

    status = 429
    code = "too_many_requests"

    def __init__(self, sentence: str, *, retry_after_s: int) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class TooManyTasks(TooManyRequests):
    """The account has as many waiting tasks as it may have."""

    code = "too_many_tasks"


class Unavailable(UnitaskError):
    """The server cannot do this at present."""

    status = 503
    code = "unavailable"


OF_INPUT: Final = {"cause": "input"}
"""What the wire's `error.detail` says of a failure of which the order itself is the cause."""


class TaskFailure(UnitaskError):
    """An attempt ended without a result. `number` is what the wire shows as `error.code`.

    `of_input`: the order itself is the cause, so that no engine would do better. `raw_message` tells an operator more
    than the sentence tells the client. `retryable` says that the same order may succeed at another time or on another
    worker.
    """

    code = "task_failed"
    number: ClassVar[int] = 10000
    of_input: ClassVar[bool] = True

    def __init__(self, sentence: str, *, raw_message: str = "", retryable: bool = False) -> None:
        super().__init__(sentence)
        self.raw_message = raw_message or sentence
        self.retryable = retryable


class MediaFailure(TaskFailure):
    """An input could not be fetched or decoded; the sentence begins with the phrase clients match on."""

    code = "media_failed"


class EngineFailure(TaskFailure):
    """The engine crashed, ran out of memory or passed its deadline."""

    code = "engine_failed"
    of_input = False


class DeviceFailure(EngineFailure):
    """The device does not work any more for this process; another process may do better."""

    code = "device_failed"


class ProviderAway(EngineFailure):
    """A provider cannot serve at present, and nothing was begun there: another may do better, or the same one later."""

    code = "provider_away"

    def __init__(self, sentence: str, *, raw_message: str = "") -> None:
        super().__init__(sentence, raw_message=raw_message, retryable=True)


class ProviderUnsure(EngineFailure):
    """A provider was sent an order and may work on it, so that it is not sent again.

    `answered`: it answered with an error of its own; otherwise contact was lost.
    """

    code = "provider_unsure"

    def __init__(self, sentence: str, *, raw_message: str = "", answered: bool = False) -> None:
        super().__init__(sentence, raw_message=raw_message)
        self.answered = answered


class ProviderRefused(EngineFailure):
    """A provider says that the order is wrong; `answered` is the HTTP status of its answer.

    `is_plain`: the answer was JSON, and no page of some proxy on the way.
    """

    code = "provider_refused"
    of_input = True

    def __init__(self, sentence: str, *, answered: int, raw_message: str = "", is_plain: bool = True) -> None:
        super().__init__(sentence, raw_message=raw_message)
        self.answered = answered
        self.is_plain = is_plain


class JobFailed(EngineFailure):
    """A provider's job failed for a reason of the provider's own: another engine may do better."""

    code = "job_failed"


class JobLost(EngineFailure):
    """A provider does not know a job any more that it took."""

    code = "job_lost"


class Cancelled(TaskFailure):
    """The client cancelled the task."""

    code = "cancelled"
    of_input = False
