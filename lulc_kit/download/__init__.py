"""01: getting scenes, reference maps and ancillary data, and describing them in one catalog."""
