"""04: features for every pixel: indices, components, texture, terrain, roads, and their stack."""
