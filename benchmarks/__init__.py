"""What is timed, against whom, and how near the goals it comes: `python -m benchmarks`."""
