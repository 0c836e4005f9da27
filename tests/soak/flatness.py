"""Whether lines are flat."""

import statistics

# By how much the last third of a line may lie above the first: caches and the allocator's fragments, and no leak of one
# object, descriptor or byte in a hundred connections, of which there are tens of thousands.
ALLOWED = {
    "rss_kib": 4096,
    "anonymous_kib": 4096,
    "malloc_kib": 512,
    "blocks": 500,
    "objects": 300,
    "references": 1500,
    "descriptors": 0,
    "threads": 0,
    "tasks": 0,
}


def growth(line):
    """By how much the median of the last third lies above that of the first."""
    third = max(1, len(line) // 3)
    return statistics.median(line[-third:]) - statistics.median(line[:third])


def growing(samples):
    """The gauges that grow over these samples, which begin after the warm-up, as texts."""
    return [
        f"{name} grew by {grown:.0f} (allowed {ALLOWED[name]})"
        for name in samples[0]
        if (grown := growth([sample[name] for sample in samples])) > ALLOWED[name]
    ]
