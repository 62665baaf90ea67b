"""The shape of reference blocks: nested dictionaries ready for JSON, ``None`` for undefined."""

from typing import TypeAlias

__all__ = ["Block", "BlockValue"]

BlockValue: TypeAlias = "float | int | bool | str | list[float] | dict[str, BlockValue] | None"
Block: TypeAlias = dict[str, BlockValue]
