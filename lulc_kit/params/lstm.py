"""08: the FCN over sequences of dates, joined by a convolutional LSTM."""

from typing import Literal

from pydantic import Field

from lulc_kit.params.base import Date, Name
from lulc_kit.params.runs import TrainedParameters


class LSTM(TrainedParameters):
    """08: the FCN over sequences of dates, joined by a convolutional LSTM."""

    notebook = "08_lstm"
    study: Name = Field("romania", description="name of the study; it needs a cube of many dates")
    run: Name = Field("lstm_random", description="name of this run; its files carry it")
    fcn: Name = Field("fcn", description="run of notebook 07 whose networks read the single dates")
    sequences: Literal["fixed", "random"] = Field(
        "random", description="fixed: always the same dates; random: drawn anew for every batch"
    )
    length: int = Field(6, ge=2, le=50, description="dates in a sequence")
    dates: list[Date] | None = Field(
        ["2017-07-01", "2019-06-30"],
        min_length=2,
        max_length=2,
        description="first and last day; null: whole cube",
    )
    gaps: Literal["mean", "linear"] = Field(
        "mean",
        description="what clouds hide: mean: says nothing; linear: filled in time, with a band that says so",
    )
    draws: int = Field(4, ge=1, le=1000, description="random sequences averaged in the prediction, for random")
    batch: int = Field(4, ge=1, le=4096, description="patches in a batch")

    @property
    def reach(self) -> int:
        """How much farther than its FCN the network sees, pixels: a convolution of 3 × 3 for each date."""
        return self.length
