"""A clock that stands still until a test sets it."""


class SetClock:
    def __init__(self) -> None:
        self.time = 1_795_300_000.0

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds
