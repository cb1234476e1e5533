"""08: networks that read sequences of dates."""

from typing import Literal

from pydantic import Field

from lulc_kit.params.base import Date, Name, Names
from lulc_kit.params.runs import TrainedParameters


class LSTM(TrainedParameters):
    """08: networks that read sequences of dates."""

    notebook = "08_lstm"
    study: Name = Field("romania", description="name of the study; it needs a cube of many dates")
    run: Name = Field("lstm_random", description="name of this run; its files carry it")
    network: Literal["fcn_lstm", "tempcnn", "ltae", "utae"] = Field(
        "fcn_lstm",
        description="fcn_lstm: the FCN by date; tempcnn, ltae: single pixels in time; utae: U-Net with attention",
    )
    fcn: Name = Field("fcn", description="run of notebook 07 whose networks read the single dates, for fcn_lstm")
    fine_tune: bool = Field(False, description="whether fcn_lstm trains on its FCN, too; false: the LSTM alone")
    features: Names | None = Field(
        None, description="bands of the dates, for all but fcn_lstm, which has its FCN's; null: all in the stack"
    )
    patch: int = Field(
        32, ge=16, le=512, multiple_of=8, description="side of the training patches, pixels; fcn_lstm has its FCN's"
    )
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
    def starts_from_fcn(self) -> bool:
        """Whether the network is put on one of notebook 07."""
        return self.network == "fcn_lstm"

    @property
    def reach(self) -> int:
        """How far the network sees, pixels; of ``fcn_lstm`` how much farther than its FCN.

        A ConvLSTM of 3 × 3 sees a pixel farther for each date; single pixels in time see no others; the U-TAE is an FCN
        of three levels.
        """
        return {"fcn_lstm": self.length, "tempcnn": 0, "ltae": 0, "utae": 26}[self.network]
