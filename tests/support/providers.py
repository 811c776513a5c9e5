"""Providers of an installation, for tests in which nothing is made by them."""

from pathlib import Path


def providers_file(folder: Path, *names: str) -> Path:
    """Write the file of providers: of these names, for accounts that leave their own keys."""
    file = folder / "providers.toml"
    table = 'engine = "fal"\nown_key_only = true\nproducts = ["Qubico/trellis"]\n'
    file.write_text("".join(f"[provider.{name}]\n{table}" for name in names))
    return file
