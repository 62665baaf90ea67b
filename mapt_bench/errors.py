"""Errors for users of this package, and texts and hints that messages share.

Every message states what was found, what was expected, where, and what to do.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "EXTRA_OF",
    "ConfigError",
    "DataError",
    "FullDiskError",
    "MaptBenchError",
    "ProtocolError",
    "ToldError",
    "TrackerError",
    "a_type",
    "check_range",
    "check_seed",
    "counted",
    "listed",
    "missing_extra",
    "nearest",
    "reason_of",
    "text_of",
    "whole_number",
    "whole_numbers",
    "with_article",
    "wrong_schema",
]

_NAMED_AT_MOST = 5

_LONG_WORD = re.compile(r"\S{1000,}")
_SHOWN_OF_LONG_WORD = 100  # characters


class MaptBenchError(Exception):
    """An error whose message is meant for the user.

    Args:
        message: What was found, what was expected, and what to do. Of a word of 1000 characters
            and more, such as an endless name in a file, only the first 100 are kept.
        where: File, folder, sequence or setting of the error. ``None`` if there is none.

    Attributes:
        kind: Short name in JSON errors.
        exit_code: Exit code of the command line.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, where: object | None = None) -> None:
        message = _LONG_WORD.sub(_cut, message)
        super().__init__(message)
        self.message = message
        self.where = None if where is None else str(where)

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions of worker processes are pickled, which omits keyword-only arguments.
        return (_rebuild, (type(self), self.message, self.where))

    def to_dict(self) -> dict[str, str | None]:
        """Return ``kind``, ``message`` and ``where``, for JSON errors of the command line."""
        return {"kind": self.kind, "message": self.message, "where": self.where}


def _cut(word: re.Match[str]) -> str:
    return f"{word[0][:_SHOWN_OF_LONG_WORD]}... ({len(word[0])} characters)"


def _rebuild(cls: type[MaptBenchError], message: str, where: str | None) -> MaptBenchError:
    return cls(message, where=where)


class ConfigError(MaptBenchError):
    """Wrong usage or configuration: exit code 2."""

    kind = "config"
    exit_code = 2


class DataError(MaptBenchError):
    """Unusable data: exit code 3."""

    kind = "data"
    exit_code = 3


class FullDiskError(DataError):
    """A full disk, quota or file-size limit: exit code 3."""


class ProtocolError(MaptBenchError):
    """Data that cannot be scored under the selected protocol: exit code 3."""

    kind = "protocol"
    exit_code = 3


class TrackerError(MaptBenchError):
    """A user's tracker that failed in its own code: exit code 3."""

    kind = "tracker"
    exit_code = 3


class ToldError(Exception):
    """Stands for something else that was raised, and its text says what."""


def listed(things: Iterable[object]) -> str:
    """Return the first few names of a list, and the number of further names.

    Example:
        >>> listed(range(7))
        '0, 1, 2, 3, 4 and 2 more'
    """
    names = [printable(str(thing)) for thing in things]
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(names[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one.

    Example:
        >>> counted(1, "pixel"), counted(2, "pixel")
        ('1 pixel', '2 pixels')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_range(
    name: str, value: float, low: float, high: float = math.inf, *, open_low: bool = False
) -> None:
    """Refuse a number outside ``[low, high]``, or outside ``(low, high]``.

    Args:
        name: Name of the setting, for the message.
        value: Its value.
        low: Lower bound.
        high: Upper bound.
        open_low: Whether the lower bound itself is refused.

    Raises:
        ConfigError: If the value is outside, infinite, or NaN.
    """
    if (low < value if open_low else low <= value) and value <= high and value < math.inf:
        return
    if open_low:
        bound = f"more than {low:g}" + (f", at most {high:g}" if high < math.inf else "")
    else:
        bound = f"{low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
    raise ConfigError(f"{name} is {value!r}; expected {bound}")


_MOST_SEED = 2**63 - 1
"""Largest seed: run folders store it in JSON, whose whole numbers have 64 bits."""


def check_seed(name: str, seed: int) -> None:
    """Refuse a seed that no command can take, or that no file can store.

    Args:
        name: Name of the setting, for the message.
        seed: Its value.

    Raises:
        ConfigError: If it is negative, or has more than 63 bits.

    Example:
        >>> check_seed("seed", 2**63)
        Traceback (most recent call last):
        mapt_bench.errors.ConfigError: seed is 9223372036854775808; expected 0 or more, below 2**63
    """
    if not 0 <= seed <= _MOST_SEED:
        raise ConfigError(f"{name} is {seed}; expected 0 or more, below 2**63")


def whole_number(text: str) -> int | None:
    """Return the number that a text of ASCII digits stands for.

    Returns:
        ``None`` for other text, such as digits of other scripts, and for more than 18 digits.

    Example:
        >>> whole_number("007"), whole_number("\u00b2"), whole_number("-1"), whole_number("")
        (7, None, None, None)
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None


_MOST_DIGITS = 18


def whole_numbers(option: str, text: str, expected: str) -> tuple[int, ...]:
    """Return the whole numbers of an option, which are separated by commas.

    Args:
        option: Name of the option, for the message.
        text: Its value.
        expected: What is expected, for the message.

    Raises:
        ConfigError: If a word is no whole number.

    Example:
        >>> whole_numbers("--pair", "1, 3", "whole numbers with commas, as in 1,2,3")
        (1, 3)
    """
    words = [whole_number(word.strip()) for word in text.split(",")]
    numbers = tuple(number for number in words if number is not None)
    if len(numbers) < len(words):
        raise ConfigError(f"{option} is {text!r}; expected {expected}")
    return numbers


def a_type(value: object) -> str:
    """Return the type of a value with its article.

    Example:
        >>> a_type(3), a_type([]), a_type(None)
        ('an int', 'a list', 'None')
    """
    if value is None:
        return "None"
    return with_article(type(value).__name__)


def with_article(word: str) -> str:
    """Return a word with its indefinite article.

    Example:
        >>> with_article("int"), with_article("float")
        ('an int', 'a float')
    """
    return f"{'an' if word[0] in 'aeiouAEIOU' else 'a'} {word}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the closest valid name, and all valid names.

    Args:
        name: Name that the user gave.
        known: Valid names.

    Example:
        >>> nearest("kitti-stpe", ["cityscapes", "kitti-step"])
        "did you mean 'kitti-step'? known: cityscapes, kitti-step"
    """
    choices = sorted(known)
    close = [one for one in choices if one.lower() == name.lower()]
    close = close or difflib.get_close_matches(name, choices, n=1, cutoff=0.4)
    listing = f"known: {', '.join(map(printable, choices))}"
    return f"did you mean {close[0]!r}? {listing}" if close else listing


def wrong_schema(found: object, *readable: str, remedy: str) -> str:
    """Return the message about a file of a schema that this version does not read.

    Args:
        found: Schema of the file, ``None`` without one.
        readable: Schemas that the command reads, such as ``"mapt-bench/run/1"``.
        remedy: How to get a readable file, as an imperative.

    Example:
        >>> wrong_schema("a/1", "a/2", remedy="evaluate again")
        "has schema 'a/1', which an older version of mapt-bench wrote; this version reads 'a/2'; \
evaluate again"
    """
    if found is None:
        return f"has no schema; expected {' or '.join(readable)}; {remedy}"
    kind, _, number = str(found).rpartition("/")
    numbers = {int(own.rpartition("/")[2]): own for own in readable if own.startswith(f"{kind}/")}
    if not numbers or whole_number(number) is None:
        return f"has schema {str(found)!r}; {nearest(str(found), readable)}; {remedy}"
    newest = max(numbers)
    if int(number) > newest:
        return (
            f"has schema {str(found)!r}, which a newer version of mapt-bench wrote; this version "
            f"reads {numbers[newest]!r}. Upgrade mapt-bench, or {remedy}"
        )
    return (
        f"has schema {str(found)!r}, which an older version of mapt-bench wrote; this version "
        f"reads {numbers[newest]!r}; {remedy}"
    )


def reason_of(problem: BaseException) -> str:
    """Return what an error says, on one line: of other code its type and first paragraph.

    Example:
        >>> reason_of(ValueError("no kernel for half")), reason_of(ConfigError("too small"))
        ('ValueError: no kernel for half', 'too small')
    """
    if isinstance(problem, MaptBenchError | ToldError):
        return str(problem)
    paragraph = text_of(problem).strip().partition("\n\n")[0]
    return f"{type(problem).__name__}: {' '.join(paragraph.split()) or 'no message'}"


def text_of(problem: BaseException) -> str:
    """Return the text of an exception. Classes of other code may fail to give theirs.

    Example:
        >>> text_of(ValueError("no kernel for half"))
        'no kernel for half'
    """
    try:
        return str(problem)
    except KeyboardInterrupt:
        raise
    except BaseException as another:  # other code may raise anything
        return f"its text is unknown, because its __str__ raised {type(another).__name__}"


def printable(text: str) -> str:
    r"""Return a text with control and format characters as escapes, in one line.

    Names come from folders and files, so that they may have newlines, terminal escapes or
    characters that reverse the direction of writing.

    Example:
        >>> print(printable("a\nb\x1b[31m"))
        a\nb\x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(
        ascii(character)[1:-1] if unicodedata.category(character) in _ESCAPED else character
        for character in text
    )


_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of control and format characters, and of separators of lines."""


EXTRA_OF = {
    "torch": "model",
    "torchvision": "model",
    "fvcore": "model",
    "ptlflow": "flow",
    "optuna": "tune",
    "dask": "cluster",
    "distributed": "cluster",
    "alembic": "logging",
    "mlflow": "logging",
    "sqlalchemy": "logging",
    "tensorboard": "logging",
    "wandb": "logging",
}
"""Importable packages that the base install lacks, with the extra that brings each."""


def missing_extra(problem: ModuleNotFoundError) -> ConfigError | None:
    """Return the error to report for a missing optional package.

    Args:
        problem: A failed import.

    Returns:
        An error that names the command to type, or ``None`` if no extra brings the package: then
        the import failed for another reason.

    Example:
        >>> print(missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch")))
        this needs the package torch, which is not installed; type: pip install "mapt-bench[model]"
    """
    package = (problem.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    if extra is None:
        return None
    return ConfigError(
        f"this needs the package {package}, which is not installed; "
        f'type: pip install "mapt-bench[{extra}]"'
    )
