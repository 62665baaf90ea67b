"""``python -m mapt_bench``: the same as ``mapt-bench``.

``python -P -m mapt_bench`` keeps Python from running a module of the current folder.
"""

from mapt_bench.cli import main

if __name__ == "__main__":
    main()
