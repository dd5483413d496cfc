"""Floor 5. Experiments that take longer than a reader will wait, run by one command and recorded.

`python -m bnlib.experiments` lists them; `python -m bnlib.experiments NAME` runs one and writes
`results/NAME.json`.
"""

EXPERIMENTS = {
    # name: (data it is recorded on, what it asks, CPU minutes for five seeds)
    "fashion_mnist": (
        "fashion_mnist",
        "the 300-200-100 network, with batch norm and without",
        5,
    ),
}
