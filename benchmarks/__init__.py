"""The benchmark: this loop, the default loop and their peers, side by side on this machine (``mainspring bench``)."""
