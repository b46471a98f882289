"""What a measurement is to reach, printed beside what it has reached."""


def at_least(value: float, goal: float | None, *, digits: int = 2) -> str:
    """The value, and the goal if there is one on this device."""
    return _beside(f"{value:.{digits}f}", goal, "or more")


def at_most(value: float, goal: float | None) -> str:
    """The same for what is to be small."""
    return _beside(f"{value:.2f}", goal, "or less")


def _beside(value: str, goal: float | None, which: str) -> str:
    return value if goal is None else f"{value} (goal: {goal:g} {which})"
