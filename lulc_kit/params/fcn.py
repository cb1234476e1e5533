"""07: a fully convolutional network."""

from typing import Annotated

from pydantic import Field

from lulc_kit.params.base import Name, Names
from lulc_kit.params.runs import TrainedParameters


class FCN(TrainedParameters):
    """07: a fully convolutional network."""

    notebook = "07_fcn"
    run: Name = Field("fcn", description="name of this run; its files carry it")
    features: Names | None = Field(None, description="bands of the stack to use; null: all but context")
    patch: int = Field(32, ge=16, le=512, multiple_of=8, description="side of the training patches, pixels")
    filters: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [16, 32, 64], min_length=1, max_length=3, description="filters at each level of the encoder"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="part of the channels that is left out in each step")

    @property
    def reach(self) -> int:
        """How far from a pixel lies what the network sees of it, pixels: half its receptive field.

        Two convolutions of 3 × 3 at each level on the way down and up, a pooling and a bilinear doubling between them;
        at level n each counts 2ⁿ pixels.
        """
        return 8 * 2 ** (len(self.filters) - 1) - 6
