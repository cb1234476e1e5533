"""03: how to show the images."""

from typing import Annotated

from pydantic import Field

from lulc_kit.params.base import Parameters


class Visualize(Parameters):
    """03: how to show the images."""

    notebook = "03_visualize"
    composites: list[Annotated[list[str], Field(min_length=3, max_length=3)]] = Field(
        [["B4", "B3", "B2"], ["B8", "B4", "B3"], ["B12", "B8A", "B4"]],
        min_length=1,
        description="bands shown as red, green, blue; one picture each",
    )
    stretch: list[Annotated[float, Field(ge=0, le=100)]] = Field(
        [2.0, 98.0], min_length=2, max_length=2, description="percentiles shown as black and white"
    )
