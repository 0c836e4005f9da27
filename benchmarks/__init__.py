"""The benchmark, ``mainspring bench``: this loop, the default loop and their peers, side by side."""
