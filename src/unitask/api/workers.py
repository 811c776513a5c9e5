"""The door of the workers; see `unitask.spec.protocol`."""

import asyncio
import base64
import logging
from contextlib import nullcontext
from typing import TypeVar

import orjson
from pydantic import BaseModel, SecretStr, ValidationError
from starlette.requests import Request

from unitask.api.envelope import JsonAnswer
from unitask.api.passage import waiting
from unitask.api.requests import body, require_worker, route, services
from unitask.app import Services
from unitask.artifacts.model import ArtifactKind, StoredFile
from unitask.kit import faults, tracing
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import InvalidRequest, Unavailable
from unitask.kit.ids import made_at_us
from unitask.kit.media import CONTENT_TYPES
from unitask.provenance.manifest import is_signable
from unitask.queue.model import Announcement, Offer, Progress
from unitask.spec import protocol
from unitask.tasks.claims import Ask
from unitask.tasks.model import Failure, Outcome, Work

log = logging.getLogger(__name__)
_UPLOAD_LIMIT_BYTES = 4 * 2**30
_PREVIEWS = ("jpg", "png", "webp")
_NEXT_BEAT_S = 1.0
_BEATS_A_LEASE = 3

Message = TypeVar("Message", bound=BaseModel)


async def _read(request: Request, message: type[Message]) -> Message:
    require_worker(request)
    try:
        return message.model_validate_json(await body(request))
    except ValidationError as error:
        raise InvalidRequest(f"invalid request: {error.errors(include_url=False, include_input=False)}") from error


def _answer(message: BaseModel) -> JsonAnswer:
    return JsonAnswer(message.model_dump_json().encode())


async def _claimed(work: Work, unitask: Services) -> protocol.ClaimedTask:
    own_key, has_lost_key = await _own_key(unitask, work.account_id, work.engine)
    now = unitask.clock.now_us()
    return protocol.ClaimedTask(
        task_id=work.task_id,
        attempt=work.attempt,
        model=work.model,
        task_type=work.task_type,
        engine=work.engine,
        input=orjson.loads(unitask.artifacts.with_urls(work.input)),
        seconds_left=(work.attempt_deadline - now) / SECOND_US,
        preview=bool(orjson.loads(work.config).get("preview")),
        remote=orjson.loads(work.remote) if work.remote else None,
        own_key=own_key,
        has_lost_key=has_lost_key,
        trace=work.trace,
        waited_s=max(0, now - made_at_us(work.task_id)) / SECOND_US,
    )


async def _own_key(unitask: Services, account_id: int, engine: str) -> tuple[SecretStr | None, bool]:
    """Find the key that an account left for the provider that has its task; and whether it cannot be read any more."""
    if engine not in unitask.providers or not unitask.providers[engine].takes_own_keys:
        return None, False
    try:
        key = await unitask.credentials.find(account_id, engine)
    except Unavailable as error:
        log.warning("an account's key for a provider cannot be read: %s", error, extra={"account_id": account_id})
        return None, True
    return (SecretStr(key) if key else None), False


async def claim(request: Request) -> JsonAnswer:
    """Give a worker tasks; waits for them."""
    ask = await _read(request, protocol.ClaimRequest)
    unitask = services(request)
    asked = Ask(ask.worker_id, ask.engines, ask.most, frozenset(ask.loaded))
    with waiting(request) if ask.wait_s else nullcontext():
        found = await unitask.tasks.claims.claim(asked, wait_s=ask.wait_s, gone=request.is_disconnected)
    return _answer(protocol.ClaimAnswer(tasks=[await _claimed(work, unitask) for work in found]))


def _announced(sign: protocol.BeatRequest) -> Announcement:
    makes = None if sign.makes is None else [Offer(one.product, one.engine, one.level) for one in sign.makes]
    return Announcement(
        sign.worker_id,
        sign.name,
        sign.engines,
        sign.devices,
        sign.memory,
        makes,
        sorted(set(sign.loaded)),
        [one.model_dump() for one in sign.providers],
    )


async def beat(request: Request) -> JsonAnswer:
    """Hear that a worker lives."""
    sign = await _read(request, protocol.BeatRequest)
    progress = [Progress(one.task_id, one.attempt, one.progress, one.note) for one in sign.progress]
    unitask = services(request)
    held = await unitask.tasks.claims.beat(
        _announced(sign), progress, [(one.task_id, one.attempt) for one in sign.progress if one.waiting]
    )
    answer = [
        protocol.HeldTask(task_id=one.task_id, attempt=one.attempt, cancel_requested=one.cancel_requested)
        for one in held
    ]
    next_in_s = min(_NEXT_BEAT_S, unitask.settings.lease_s / _BEATS_A_LEASE)
    providers = [one.provider for one in sign.providers]
    cleared = [(one.task_id, one.provider) for one in sign.cleared]
    left = await unitask.tasks.claims.leftovers(providers, cleared) if providers else []
    leftovers = [
        protocol.Leftover(
            task_id=one.task_id,
            provider=one.provider,
            remote=orjson.loads(one.remote),
            own_key=(await _own_key(unitask, one.account_id, one.provider))[0],
        )
        for one in left
    ]
    return _answer(
        protocol.BeatAnswer(
            held=answer, files_url=unitask.artifacts.files_url, next_in_s=next_in_s, leftovers=leftovers
        )
    )


async def keep(request: Request) -> JsonAnswer:
    """Write down what is known of an attempt's job at its provider."""
    told = await _read(request, protocol.KeepRequest)
    named = request.path_params
    remote = None if told.remote is None else orjson.dumps(told.remote).decode()
    await services(request).tasks.keep_remote(str(named["task_id"]), named["attempt"], remote)
    return _answer(protocol.SettleAnswer(accepted=True))


def _admit(request: Request) -> str:
    """Let a worker bring a file for an attempt that can be; gives the extension of its name."""
    require_worker(request)
    attempt = request.path_params["attempt"]
    if attempt > protocol.LAST_ATTEMPT:
        raise InvalidRequest(f"invalid request: no attempt has the number {attempt}")
    return str(request.path_params["extension"])


def _admit_output(request: Request) -> str:
    extension = _admit(request)
    if extension not in CONTENT_TYPES:
        raise InvalidRequest(f"invalid request: no content type is known for .{extension}")
    return extension


async def place(request: Request) -> JsonAnswer:
    """Tell where a file of an attempt is to go, so that it need not come through us."""
    extension = _admit_output(request)
    unitask = services(request)
    account_id = await unitask.tasks.account_of(str(request.path_params["task_id"]))
    found = await unitask.artifacts.place_output(extension, account_id)
    if found is None:
        return _answer(protocol.PlaceAnswer())
    file, url = found
    return _answer(protocol.PlaceAnswer(reference=file.reference, url=url, content_type=file.content_type))


async def placed(request: Request) -> JsonAnswer:
    """Hear that a file lies in its place; a second time changes nothing."""
    _admit_output(request)
    told = await _read(request, protocol.PlacedRequest)
    unitask, named = services(request), request.path_params
    file = await unitask.artifacts.placed(told.reference, size_bytes=told.size_bytes, sha256=told.sha256)
    if not await unitask.artifacts.is_of(file, str(named["task_id"]), named["attempt"]):
        faults.point("upload.before_publish")
        await unitask.tasks.add_output(file, task_id=str(named["task_id"]), attempt=named["attempt"])
        faults.point("upload.after_publish")
    return _answer(protocol.UploadAnswer(reference=file.reference))


async def upload(request: Request) -> JsonAnswer:
    """Take a file that an attempt made."""
    extension = _admit_output(request)
    unitask = services(request)
    file = await unitask.artifacts.store_output(
        request.stream(),
        extension=extension,
        limit_bytes=_UPLOAD_LIMIT_BYTES,
        account_id=await unitask.tasks.account_of(str(request.path_params["task_id"])),
    )
    return await _published(request, file, ArtifactKind.OUTPUT)


async def show(request: Request) -> JsonAnswer:
    """Take a preview: a small picture of what an attempt has so far, which stays with us whatever bucket is in use."""
    extension = _admit(request)
    if extension not in _PREVIEWS:
        raise InvalidRequest(f"invalid request: a preview is one of {', '.join(_PREVIEWS)}")
    file = await services(request).artifacts.store(
        request.stream(), extension=extension, limit_bytes=protocol.PREVIEW_LIMIT_BYTES
    )
    return await _published(request, file, ArtifactKind.PREVIEW)


async def _published(request: Request, file: StoredFile, kind: ArtifactKind) -> JsonAnswer:
    """Write a stored file down for its attempt, or take it back."""
    unitask, named = services(request), request.path_params
    faults.point("upload.before_publish")
    try:
        await unitask.tasks.add_output(file, task_id=str(named["task_id"]), attempt=named["attempt"], kind=kind)
    except BaseException:
        await unitask.artifacts.discard(file)
        raise
    faults.point("upload.after_publish")
    return _answer(protocol.UploadAnswer(reference=file.reference))


async def marks(request: Request) -> JsonAnswer:
    """Tell how files are to be marked; the key that signs stays here."""
    require_worker(request)
    unitask = services(request)
    signer = await asyncio.to_thread(unitask.signing.signer)
    if not unitask.settings.marks or signer is None:
        return _answer(protocol.MarksAnswer(marks=unitask.settings.marks))
    return _answer(protocol.MarksAnswer(chain=signer.chain, algorithm=signer.algorithm))


async def sign(request: Request) -> JsonAnswer:
    """Sign a manifest, and nothing else."""
    asked = await _read(request, protocol.SignRequest)
    signer = await asyncio.to_thread(services(request).signing.signer)
    try:
        content = base64.b64decode(asked.content, validate=True)
    except ValueError as error:
        raise InvalidRequest("invalid request: content is not base64") from error
    if signer is None or asked.chain_sha256 != signer.chain_sha256:
        raise InvalidRequest("invalid request: this API does not sign by those certificates; ask for them again")
    if not is_signable(content):
        raise InvalidRequest("invalid request: only manifests are signed")
    return _answer(protocol.SignAnswer(signature=base64.b64encode(signer.sign(content)).decode()))


def _outcome(end: protocol.SettleRequest) -> Outcome:
    failure = end.failure
    return Outcome(
        task_id=end.task_id,
        attempt=end.attempt,
        output=end.output,
        failure=Failure(failure.message, failure.raw_message, failure.number, failure.of_input) if failure else None,
        retryable=bool(failure and failure.retryable),
        elsewhere=bool(failure and failure.elsewhere),
        away=bool(failure and failure.away),
        given_back=bool(failure and failure.given_back),
        level=end.level,
        measures=end.measures,
        timings=end.timings.model_dump() if end.timings else None,
        warnings=end.warnings,
        logs=end.logs,
        cost_points=end.cost_points,
        own_key=end.own_key,
        trace=tracing.carried(end.trace),
    )


async def settle(request: Request) -> JsonAnswer:
    """Hear how an attempt ended."""
    end = await _read(request, protocol.SettleRequest)
    accepted = await services(request).tasks.settle(_outcome(end))
    return _answer(protocol.SettleAnswer(accepted=accepted))


async def settle_many(request: Request) -> JsonAnswer:
    """Hear how several attempts ended; they share what transactions they can, and no end waits for another's."""
    told = await _read(request, protocol.SettleManyRequest)
    tasks = services(request).tasks
    accepted = await asyncio.gather(*(tasks.settle(_outcome(end)) for end in told.ends))
    return _answer(protocol.SettleManyAnswer(accepted=accepted))


ROUTES = [
    route("POST", f"{protocol.PREFIX}/claim", claim),
    route("POST", f"{protocol.PREFIX}/beat", beat),
    route("PUT", f"{protocol.PREFIX}/tasks/{{task_id:uuid}}/{{attempt:int}}/files/{{extension}}", upload),
    route("POST", f"{protocol.PREFIX}/tasks/{{task_id:uuid}}/{{attempt:int}}/files/{{extension}}/place", place),
    route("POST", f"{protocol.PREFIX}/tasks/{{task_id:uuid}}/{{attempt:int}}/files/{{extension}}/placed", placed),
    route("PUT", f"{protocol.PREFIX}/tasks/{{task_id:uuid}}/{{attempt:int}}/preview/{{extension}}", show),
    route("PUT", f"{protocol.PREFIX}/tasks/{{task_id:uuid}}/{{attempt:int}}/remote", keep),
    route("GET", f"{protocol.PREFIX}/marks", marks),
    route("POST", f"{protocol.PREFIX}/sign", sign),
    route("POST", f"{protocol.PREFIX}/settle", settle),
    route("POST", f"{protocol.PREFIX}/settle-many", settle_many),
]
