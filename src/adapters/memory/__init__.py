"""The ports in memory, with real semantics: for unit tests and simulation."""
