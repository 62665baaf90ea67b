"""The search for faults: hypothesis draws cases, the oracle judges, and the smallest is kept."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture.providers import HypothesisProvider

from tests.fuzz import option_words
from tests.fuzz.cases import Case
from tests.fuzz.fork_server import ForkServer
from tests.fuzz.map_files import make_all
from tests.fuzz.oracle import Fault, examine
from tests.fuzz.recorded_files import Recorded
from tests.fuzz.scenarios import cases

CORPUS = Path(__file__).parent / "corpus"
_SHRINKS_AT_MOST = 150  # runs of a command for one fault


@dataclass
class Found:
    """What a search came to.

    Attributes:
        counts: Number of cases by command and format.
        codes: Number of cases by exit code.
        faults: The smallest case of each fault, by the signature of the fault.
        cpu_seconds: Most CPU time of a case.
        peak_bytes: Most memory of a case without torch.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    faults: dict[str, tuple[Case, Fault]] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def add(self, other: "Found") -> None:
        self.counts += other.counts
        self.codes += other.codes
        for signature, found in other.faults.items():
            self.faults.setdefault(signature, found)
        self.cpu_seconds = max(self.cpu_seconds, other.cpu_seconds)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)


class Servers:
    """Two fork servers, with and without torch. Each starts when it is needed."""

    def __init__(self) -> None:
        self._started: dict[bool, ForkServer] = {}

    def of(self, case: Case) -> ForkServer:
        if case.needs_torch not in self._started:
            self._started[case.needs_torch] = ForkServer(with_torch=case.needs_torch)
        return self._started[case.needs_torch]

    def close(self) -> None:
        for server in self._started.values():
            server.close()


class Search:
    """Draws cases, and examines them.

    Args:
        recorded: Recorded files.
        servers: Fork servers.
        known: Signatures of faults that need not be shrunk again.
    """

    def __init__(self, recorded: Recorded, servers: Servers, known: Iterable[str] = ()) -> None:
        make_all()
        option_words.import_all()
        self._recorded = recorded
        self._servers = servers
        self._known = set(known)
        self._alone: set[str] = set()
        self._verdicts: dict[str, list[Fault]] = {}

    def draw(self, count: int, number: int, *, shrink: bool = True, alone: bool = False) -> Found:
        """Draw cases and examine them.

        Args:
            count: Number of cases.
            number: Seed.
            shrink: Whether to look for the smallest case of each new fault.
            alone: Whether the first case of each command runs in a process of its own, too.
        """
        found = Found()
        self._verdicts.clear()

        def see(case: Case) -> None:
            faults = self._verdicts[case.digest] = self._examined(case, found, alone=alone)
            for fault in faults:
                found.faults.setdefault(fault.signature, (case, fault))

        self._run(see, count, number, (Phase.generate,))
        if shrink:
            for signature in found.faults.keys() - self._known:
                self._shrink(signature, found, count, number)
        self._known |= found.faults.keys()
        return found

    def _examined(self, case: Case, found: Found, *, alone: bool) -> list[Fault]:
        outcome, faults = examine(case, self._servers.of(case))
        found.counts[case.command, case.form] += 1
        found.codes[outcome.code] += 1
        found.cpu_seconds = max(found.cpu_seconds, outcome.cpu_seconds)
        if not case.needs_torch:
            found.peak_bytes = max(found.peak_bytes, outcome.peak_bytes)
        if alone and case.command not in self._alone:
            self._alone.add(case.command)
            own, more = examine(case, None)
            if own.code != outcome.code:
                said = f"{outcome.code} in a fork, {own.code} alone\n{own.stderr.decode()[-500:]}"
                more = [*more, Fault("differs alone", case.command, said)]
            faults = [*faults, *more]
        return faults

    def _shrink(self, signature: str, found: Found, count: int, number: int) -> None:
        """Search again for one fault, with the same seed, and let hypothesis shrink it."""
        runs = 0
        smallest = found.faults[signature]

        def see(case: Case) -> None:
            nonlocal runs, smallest
            faults = self._verdicts.get(case.digest)
            if faults is None:
                if runs == _SHRINKS_AT_MOST:
                    return
                runs += 1
                faults = self._verdicts[case.digest] = examine(case, self._servers.of(case))[1]
            for fault in faults:
                if fault.signature == signature:
                    smallest = min(smallest, (case, fault), key=lambda one: len(one[0].to_json()))
                    raise AssertionError(signature)

        with suppress(AssertionError, Flaky):
            self._run(see, count, number, (Phase.generate, Phase.shrink))
        found.faults[signature] = smallest

    def _run(
        self, see: Callable[[Case], None], count: int, number: int, phases: tuple[Phase, ...]
    ) -> None:
        @seed(number)
        @settings(
            max_examples=count,
            phases=phases,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(cases(self._recorded))
        def drawn(case: Case) -> None:
            see(case)

        with _without_constants_of_modules():
            drawn()


@contextmanager
def _without_constants_of_modules() -> Iterator[None]:
    """Keep hypothesis from drawing constants that it finds in the code of imported modules.

    Which modules are imported depends on the tests that ran before, so a seed would draw other
    cases in each run.
    """
    with mock.patch.object(HypothesisProvider, "_maybe_draw_constant", _no_constant, create=True):
        yield


def _no_constant(*_: object, **__: object) -> None:
    return None


def replay(servers: Servers, folder: Path = CORPUS) -> dict[str, list[Fault]]:
    """Examine the cases of past faults, and return the faults of each."""
    found: dict[str, list[Fault]] = {}
    for path in sorted(folder.glob("*.json")):
        case = read_case(path)
        found[path.stem] = examine(case, servers.of(case))[1]
    return found


def read_case(path: Path) -> Case:
    return Case.from_dict(json.loads(path.read_text()))
