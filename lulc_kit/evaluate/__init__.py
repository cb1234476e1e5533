"""09: accuracy, comparison of runs, and the report page."""
