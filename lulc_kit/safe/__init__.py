"""Sentinel-2 products in SAFE format: their metadata for notebook 01, their bands for notebook 02."""
