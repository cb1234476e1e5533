"""07: a fully convolutional network."""

from typing import Annotated, Literal

from pydantic import Field

from lulc_kit.params.base import Name
from lulc_kit.params.runs import Pooling, TrainedParameters


class FCN(TrainedParameters, Pooling):
    """07: a fully convolutional network."""

    notebook = "07_fcn"
    run: Name = Field("fcn", description="name of this run; its files carry it")
    network: Literal["fcn", "fcn_light", "mlp"] = Field(
        "fcn", description="fcn: a U-Net; fcn_light: dilated, without pooling; mlp: single pixels"
    )
    patch: int = Field(32, ge=16, le=512, multiple_of=8, description="side of the training patches, pixels")
    filters: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [32],
        min_length=1,
        max_length=3,
        description="filters at each level of the encoder, one: no pooling; of mlp units of each layer",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="part of the channels that is left out in each step")

    @property
    def reach(self) -> int:
        """How far from a pixel lies what the network sees of it, pixels: half its receptive field.

        Of ``fcn`` two convolutions of 3 × 3 at each level on the way down and up, a pooling and a bilinear doubling
        between them; at level n each counts 2ⁿ pixels. Of ``fcn_light`` one convolution at each level, dilated by 2ⁿ.
        """
        coarsest = 2 ** (len(self.filters) - 1)
        return {"fcn": 8 * coarsest - 6, "fcn_light": 2 * coarsest - 1, "mlp": 0}[self.network]
