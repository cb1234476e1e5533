"""What notebooks 06 to 08 share."""

from pydantic import Field

from lulc_kit.params.base import Name, Parameters, Seed


class RunParameters(Parameters):
    """What notebooks 06 to 08 have."""

    run: Name
    seed: Seed = Field(1, description="seed of every random choice")
