"""What a worker stores: marked as well as can be, and stored in any case."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.marked import PACKED, SIGNER, SMALL, marked, png_with, said, small
from unitask.kit.errors import Unavailable, UnitaskError
from unitask.provenance.clerk import AsyncSign, Clerk, Gone
from unitask.provenance.manifest import Input
from unitask.provenance.marks import Marked, MarkOrder, read, source_in
from unitask.provenance.signing import Signer
from unitask.provenance.sources import Source
from unitask.spec.protocol import ClaimedTask, MarksAnswer
from unitask.worker.client import Rejected
from unitask.worker.storing import Stored, Storing

TASK = ClaimedTask(
    task_id="0192f0c0-0000-7000-8000-000000000001",
    attempt=1,
    model="m",
    task_type="t",
    engine="cpu",
    input={},
    seconds_left=60,
)
UNSIGNED = "a file carries the IPTC mark alone: it could not be signed"
UNMARKED = "a file carries no mark that says where it comes from"


@dataclass
class Api:
    """The API as far as files go. `no_terms` and `no_signature` are what it refuses with, once each."""

    signer: Signer = SIGNER
    marks_on: bool = True
    no_terms: list[UnitaskError] = field(default_factory=list)
    no_signature: list[UnitaskError] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    shown: list[bytes] = field(default_factory=list)
    asked: int = 0

    async def marks(self) -> MarksAnswer:
        """Say how files are marked."""
        if self.no_terms:
            raise self.no_terms.pop()
        return MarksAnswer(marks=self.marks_on, chain=self.signer.chain, algorithm=self.signer.algorithm)

    async def sign(self, content: bytes, chain_sha256: str) -> bytes:
        """Sign, if it is asked for the certificates that are in use."""
        self.asked += 1
        if self.no_signature:
            raise self.no_signature.pop()
        if chain_sha256 != self.signer.chain_sha256:
            raise Rejected("other certificates are in use")
        return self.signer.sign(content)

    async def upload(self, task_id: str, attempt: int, path: Path, extension: str) -> str:
        """Keep the content."""
        self.stored.append(await asyncio.to_thread(path.read_bytes))
        return f"unitask-artifact:{task_id}/{attempt}.{extension}"

    async def show(self, task_id: str, attempt: int, path: Path, extension: str) -> None:
        """Keep a preview."""
        assert (task_id, attempt, extension) == (TASK.task_id, TASK.attempt, path.name.split(".")[1])
        self.shown.append(await asyncio.to_thread(path.read_bytes))


Open = Callable[[Api], Storing]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Open what stores, for an API."""
    made: list[Storing] = []

    def make(api: Api) -> Storing:
        made.append(Storing(api))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def store(storing: Storing, file: Input, *inputs: Input) -> Stored:
    """Store a file that a trained model made."""
    return await storing.store(TASK, file.path, file.extension, said(Source.TRAINED), inputs)


def marks(content: bytes, folder: Path, extension: str) -> list[str]:
    """List the marks of what was stored, by our own signature."""
    path = folder / f"stored.{extension}"
    path.write_bytes(content)
    found = read(Input(path=path, extension=extension), SIGNER.trust)
    assert found["c2pa"] is None or (found["c2pa"]["is_ours"], found["c2pa"]["problems"]) == (True, [])
    listed: list[str] = found["marks"]
    return listed


async def test_what_is_stored_has_both_marks_and_what_the_engine_has_stays_as_it_was(
    opened: Open, tmp_path: Path
) -> None:
    """The marked file is another one, and is gone afterwards."""
    api = Api()
    file = small(tmp_path, "png")
    assert (await store(opened(api), file)).warning == ""
    assert marks(api.stored[0], tmp_path, "png") == ["c2pa", "iptc"]
    assert file.path.read_bytes() == SMALL["png"]()
    assert not list(tmp_path.glob("*.marked*"))  # noqa: ASYNC240 - a look


async def test_an_api_of_the_release_before_costs_the_signature_alone(opened: Open, tmp_path: Path) -> None:
    """It knows no such route; nobody is told, for nothing went wrong."""
    api = Api(no_terms=[Rejected("the API answered 404")])
    assert (await store(opened(api), small(tmp_path, "png"))).warning == ""
    assert marks(api.stored[0], tmp_path, "png") == ["iptc"]


async def test_a_signature_is_waited_for(opened: Open, tmp_path: Path) -> None:
    """An API that is being restarted costs no mark."""
    api = Api(no_signature=[Unavailable("the API does not answer")])
    assert (await store(opened(api), small(tmp_path, "png"))).warning == ""
    assert marks(api.stored[0], tmp_path, "png") == ["c2pa", "iptc"]


async def test_a_refused_signature_holds_up_no_result(opened: Open, tmp_path: Path) -> None:
    """The file goes with the IPTC mark, and the task says so."""
    api = Api(no_signature=[Rejected("no")])
    assert (await store(opened(api), small(tmp_path, "png"))).warning == UNSIGNED
    assert marks(api.stored[0], tmp_path, "png") == ["iptc"]


async def test_a_changed_certificate_is_asked_for_again(opened: Open, tmp_path: Path) -> None:
    """The first file after the change has no signature rather than a wrong one; the next is signed by the new one."""
    api = Api(signer=Signer.derived("the secret of before, for a test"))
    storing = opened(api)
    await store(storing, small(tmp_path, "png"))
    api.signer = SIGNER
    assert (await store(storing, small(tmp_path, "png"))).warning == UNSIGNED
    assert (await store(storing, small(tmp_path, "png"))).warning == ""
    assert marks(api.stored[2], tmp_path, "png") == ["c2pa", "iptc"]


async def test_an_operator_who_wants_no_marks_gets_the_files_as_they_are(opened: Open, tmp_path: Path) -> None:
    """Byte for byte."""
    api = Api(marks_on=False)
    file = small(tmp_path, "png")
    assert (await store(opened(api), file)).warning == ""
    assert api.stored == [file.path.read_bytes()]
    assert api.asked == 0


async def test_a_solid_has_one_mark_and_no_complaint(opened: Open, tmp_path: Path) -> None:
    """C2PA has no place in such a file."""
    api = Api()
    assert (await store(opened(api), small(tmp_path, "glb"))).warning == ""
    assert marks(api.stored[0], tmp_path, "glb") == ["iptc"]


@pytest.mark.parametrize(
    ("extension", "content"), [("webm", b"\x1a\x45\xdf\xa3"), ("png", b"\x89PNG\r\n\x1a\nnothing")]
)
async def test_a_file_that_cannot_be_marked_is_stored_and_the_task_says_so(
    extension: str, content: bytes, opened: Open, tmp_path: Path
) -> None:
    """Its format has no place, or it is not what it says."""
    api = Api()
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    assert (await store(opened(api), Input(path=path, extension=extension))).warning == UNMARKED
    assert api.stored == [content]


class Fragile(Clerk):
    """Breaks over every input that C2PA's library has a hand in."""

    async def mark(self, order: MarkOrder, sign: AsyncSign) -> Marked:
        """Mark what has none."""
        if order.inputs:
            raise Gone("it took too long")
        return await super().mark(order, sign)


class Frail(Fragile):
    """Breaks over every input, whoever reads it."""

    async def words(self, file: Input) -> str:
        """Read nothing."""
        raise Gone(f"{file.path.name} took too long")


def signed_jpg(folder: Path) -> Input:
    """Write a picture that says plainly where it comes from."""
    return Input(path=marked(small(folder, "jpg"), Source.TRAINED).path, extension="jpg")


def packed_png(folder: Path) -> Input:
    """Write a picture without an end that says it in a packed chunk."""
    path = folder / "packed.png"
    path.write_bytes(png_with(b"iTXt", PACKED + zlib.compress(Source.TRAINED.uri.encode()))[:-12])
    return Input(path=path, extension="png")


@pytest.mark.parametrize(
    ("clerk", "generated"), [(Clerk, packed_png), (Fragile, packed_png), (Fragile, signed_jpg), (Frail, signed_jpg)]
)
async def test_an_input_that_breaks_its_reader_launders_nothing(
    clerk: type[Clerk], generated: Callable[[Path], Input], opened: Open, tmp_path: Path
) -> None:
    """The result is marked and signed without it, and what it says counts, at least what stands plain in its bytes."""
    api = Api()
    storing = opened(api)
    storing._clerk = clerk()
    file = small(tmp_path, "png")
    stored = await storing.store(TASK, file.path, "png", said(Source.ENHANCED, edited=True), [generated(tmp_path)])
    assert stored.warning == ""
    assert marks(api.stored[0], tmp_path, "png") == ["c2pa", "iptc"]
    assert source_in(Input(path=tmp_path / "stored.png", extension="png")) == Source.TRAINED


async def test_a_preview_has_the_small_mark(opened: Open, tmp_path: Path) -> None:
    """It is seen before its task has ended, and must stay small."""
    api = Api()
    await opened(api).show(TASK, small(tmp_path, "jpg").path, "jpg", said(Source.TRAINED), [])
    assert marks(api.shown[0], tmp_path, "jpg") == ["iptc"]
    assert api.asked == 0
