"""Build source archives and wheels of the server and its client, twice, and keep them only if the bytes are the same.

The second time everything is another: it is built from the source archive of the first, in another folder, time zone,
language and order of hashing, from files that only their owner can read. What differs then would differ for anyone who
wants to see that a release was made from this source. Beside them lies SHA256SUMS.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {"unitask": Path(), "unitask-sdk": Path("sdk")}
SUMS = "SHA256SUMS"
HERE = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}
ELSEWHERE = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "2"}


def made_at() -> str:
    """Give the time that every file of a release bears: that of the last commit."""
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    return os.environ.get("SOURCE_DATE_EPOCH") or done.stdout.strip() or "1577836800"


def clean_copy(folder: Path) -> Path:
    """Copy what belongs to the project: what git knows, as it is now."""
    command = ["git", "ls-files", "-z"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30).stdout.decode()
    for name in filter(None, known.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def build(source: Path, target: Path, epoch: str, changes: dict[str, str]) -> None:
    """Build a source archive and a wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), "-t", "sdist", "-t", "wheel"],
        cwd=source,
        env={**os.environ, **changes, "SOURCE_DATE_EPOCH": epoch},
        check=True,
        capture_output=True,
        timeout=120,
    )


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a source archive, for its owner alone."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    (source / "PKG-INFO").unlink()  # written by the build, which would add another
    for path in source.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600 | (path.stat().st_mode & 0o100))
    return source


def sums(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def release(target: Path) -> dict[str, str]:
    """Build everything twice; gives the sums of what lies in `target` then.

    Raises:
        SystemExit: the two differ; nothing is kept.

    """
    epoch = made_at()
    with tempfile.TemporaryDirectory(prefix="unitask-wheel-") as name:
        scratch = Path(name)
        one, two = scratch / "one", scratch / "two"
        source = clean_copy(scratch / "source")
        for package, place in PACKAGES.items():
            build(source / place, one, epoch, HERE)
            (archive,) = one.glob(f"{package.replace('-', '_')}-[0-9]*.tar.gz")
            mask = os.umask(0o077)
            try:
                build(unpacked(archive, scratch / f"unpacked {package}"), two, epoch, ELSEWHERE)
            finally:
                os.umask(mask)
        first, second = sums(one), sums(two)
        if first != second:
            raise SystemExit(f"not reproducible: {sorted(name for name, _ in first.items() ^ second.items())}")
        target.mkdir(parents=True, exist_ok=True)
        for path in one.iterdir():
            shutil.copy(path, target / path.name)
    (target / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in first.items()))
    return first


if __name__ == "__main__":
    for file, digest in release(Path(sys.argv[1])).items():
        print(f"{digest}  {file}")
