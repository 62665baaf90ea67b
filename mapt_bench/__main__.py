"""``python -m mapt_bench``: the same as ``mapt-bench``."""

from mapt_bench.cli import main

if __name__ == "__main__":
    main()
