"""A fuzzer for every file format and option: ``python -m tests.fuzz``, see docs/fuzzing.md."""
