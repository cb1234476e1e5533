"""The simulated study: Sentinel-2 products over a landscape whose truth is known. It teaches and tests."""

from lulc_kit.simulated.study import SimulatedStudy, simulate

__all__ = ["SimulatedStudy", "simulate"]
