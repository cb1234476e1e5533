"""From Sentinel-2 images to land-cover maps whose accuracy one can trust.

The package has one room for each stage of the notebooks (``download`` … ``evaluate``) and a ground floor
that the rooms share (``params``, ``study``, ``raster``, ``classes``, ``mapping``). Import what you need from
its module; importing ``lulc_kit`` itself loads nothing.
"""

__version__ = "0.1.0"
