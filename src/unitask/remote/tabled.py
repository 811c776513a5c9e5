"""What the engines have in common whose tables say how a provider's models make our products."""

from collections.abc import Mapping
from typing import Any, ClassVar

from unitask.remote.mapping import Mapped, mappings
from unitask.remote.results import collected
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Made, Provider, RemoteJob


class Tabled:
    """A part of `unitask.spec.remote.RemoteEngine`.

    `tables`: the package that brings `products.toml`; without one there are the operator's own tables alone.
    """

    tables: ClassVar[str] = ""

    def headers(self, key: str) -> dict[str, str]:
        """Write the key as the provider, or a proxy before it, reads it."""
        return {"Authorization": f"Bearer {key}"}

    def makes(self, product: Product, provider: Provider) -> bool:
        """Tell whether a model there is known for a product."""
        return product.key in self.known(provider)

    async def repeats(self, calls: Calls) -> bool:
        """Each order makes a job."""
        del calls
        return False

    async def collect(self, job: RemoteJob, document: Document, result: Any) -> Made:
        """Fetch and store what was made."""
        del document
        return Made(await collected(job, result, self.mapped(job)))

    def known(self, provider: Provider) -> Mapping[str, Mapped]:
        """Read the tables that hold for a provider, by product."""
        return mappings(self.tables, provider.recipes)

    def mapped(self, job: RemoteJob) -> Mapped:
        """Find how a job's product is made."""
        return self.known(job.calls.provider)[job.product.key]
