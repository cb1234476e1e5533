"""02: from products to an analysis-ready cube: reflectance on one grid, clouds masked."""
