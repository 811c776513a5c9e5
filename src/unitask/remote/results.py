"""From what a provider made to the output of the wire."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from unitask.kit.errors import EngineFailure, JobFailed
from unitask.kit.media import Kind, decode_inline, sniff_file
from unitask.remote.binding import at
from unitask.remote.mapping import Mapped
from unitask.remote.measures import measured, sound_of
from unitask.remote.threads import in_thread
from unitask.spec.engine import Output
from unitask.spec.product import AudioResult, ImageResult, VideoResult
from unitask.spec.remote import RemoteJob

RESULT_BYTES: Final = 4 * 2**30
_INLINE_BYTES: Final = 256 * 2**20


async def bring(job: RemoteJob, address: str) -> Path:
    """Put a result into scratch, from an address or out of a data URI.

    Raises:
        ProviderRefused: it is not there any more, or may not be read.
        ProviderAway: it cannot be read at present.

    """
    path = job.new_path("result")
    if address.startswith("data:"):
        try:
            await in_thread(path.write_bytes, decode_inline(address, _INLINE_BYTES))
        except ValueError as error:
            raise JobFailed(f"the provider {job.calls.provider.name} gave a result that is {error}") from error
    else:
        await job.calls.download(address, path, limit_bytes=RESULT_BYTES)
    return path


async def save_as(job: RemoteJob, field: str, path: Path) -> str:
    """Store a file for a field of the output, whose name says what kind of file it takes; gives its reference.

    Raises:
        JobFailed: it is of another kind, or no media.

    """
    wanted = next((kind for kind in get_args(Kind) if kind in field.split("_")), None)
    found = await in_thread(sniff_file, path)
    if found and wanted and found.kind != wanted:
        name = job.calls.provider.name
        raise JobFailed(f"the provider {name} gave a file of the kind {found.kind} where one of {wanted} was ordered")
    return await job.save(path)


async def output_of(job: RemoteJob, files: Sequence[Path] | Mapping[str, Path]) -> Output:
    """Store files as the output of the job's product: in their order, or by the output's fields.

    Raises:
        JobFailed: there is none, or one is no media or of another kind than was ordered.

    """
    if not files:
        raise JobFailed(f"the provider {job.calls.provider.name} gave no file")
    if isinstance(files, Mapping):
        return Output({name: await save_as(job, name, path) for name, path in files.items()})
    kind = job.product.output
    measures = await in_thread(measured, job.product.price.unit, files[0])
    if issubclass(kind, ImageResult):
        return Output(kind.of(*[await save_as(job, "image_url", path) for path in files]), measures)
    if issubclass(kind, VideoResult | AudioResult):
        (field,) = kind.model_fields
        return Output(kind.of(await save_as(job, field, files[0])), measures)
    raise EngineFailure(f"no way is known to put one file into a {kind.__name__}")


async def collected(job: RemoteJob, result: Any, mapped: Mapped) -> Output:
    """Fetch and store the files whose addresses stand at a mapping's paths of a result.

    Where one is meant there may be a list of them, and the other way round: models change their minds in this.
    """
    mapped.warn(job)
    where = mapped.files
    if isinstance(where, Mapping):
        found = {name: next(at(result, path), None) for name, path in where.items()}
        absent = [name for name, address in found.items() if not isinstance(address, str)]
        if absent:
            raise JobFailed(f"the provider {job.calls.provider.name} gave no {', '.join(absent)}")
        return await output_of(job, {name: await bring(job, str(address)) for name, address in found.items()})
    found_at = [value for path in where for value in at(result, path)] or [result]
    values = [one for value in found_at for one in (value if isinstance(value, list) else [value])]
    addresses = [one for one in values if isinstance(one, str)]
    paths = [await bring(job, address) for address in addresses]
    return await output_of(
        job, [await in_thread(sound_of, path) for path in paths] if mapped.take == "sound" else paths
    )
