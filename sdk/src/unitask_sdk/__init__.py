"""Client of Unitask, and of any server of the Unified API.

from unitask_sdk import Client

with Client() as client:
    task = client.run("Qubico/flux1-dev", "txt2img", {"prompt": "a little cat"})
    client.download(task.files[0].url, "cat.png")
"""

from unitask_sdk.async_client import AsyncClient
from unitask_sdk.client import Client
from unitask_sdk.errors import (
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    NoAnswer,
    NotFinished,
    NotFound,
    Refused,
    ServerFailure,
    TaskFailed,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnitaskError,
    Unsupported,
    WrongSignature,
)
from unitask_sdk.model import Account, Delivery, Event, File, Output, Page, Product, Quote, Task, TaskError, Usage
from unitask_sdk.version import __version__
from unitask_sdk.webhook import Message, verify

__all__ = [
    "Account",
    "AsyncClient",
    "Client",
    "Conflict",
    "Delivery",
    "Event",
    "File",
    "Forbidden",
    "InsufficientCredits",
    "InvalidRequest",
    "Message",
    "NoAnswer",
    "NotFinished",
    "NotFound",
    "Output",
    "Page",
    "Product",
    "Quote",
    "Refused",
    "ServerFailure",
    "Task",
    "TaskError",
    "TaskFailed",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "UnitaskError",
    "Unsupported",
    "Usage",
    "WrongSignature",
    "__version__",
    "verify",
]
