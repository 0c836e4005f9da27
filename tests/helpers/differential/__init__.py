"""Random programs and what they show on each loop: see tests/differential."""
