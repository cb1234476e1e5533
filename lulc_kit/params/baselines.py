"""06: k-nearest neighbours or random forest."""

from typing import Literal

from pydantic import Field

from lulc_kit.params.base import Megabytes, Name, Names
from lulc_kit.params.runs import RunParameters


class Baselines(RunParameters):
    """06: k-nearest neighbours or random forest."""

    notebook = "06_baselines"
    run: Name = Field("rf", description="name of this run; its files carry it")
    features: Names | None = Field(None, description="bands of the stack to use; null: all")
    model: Literal["knn", "rf"] = Field("rf", description="knn: k-nearest neighbours; rf: random forest")
    neighbours: int = Field(15, ge=1, le=1000, description="neighbours that vote, for knn")
    trees: int = Field(100, ge=1, le=5000, description="number of trees, for rf")
    min_leaf: int = Field(3, ge=1, le=100_000, description="smallest number of samples in a leaf, for rf")
    memory: Megabytes = Field(3000, description="megabytes that the step may take; the result does not depend on it")
