"""The benchmarks, one file each. Every one has measure(options), which returns rows."""
