"""What a measurement is to reach, printed beside what it has reached."""


def at_least(value: float, goal: float | None) -> str:
    """The value, and the goal if there is one on this device."""
    return _beside(value, goal, "or more")


def at_most(value: float, goal: float | None) -> str:
    """The same for what is to be small."""
    return _beside(value, goal, "or less")


def _beside(value: float, goal: float | None, which: str) -> str:
    return f"{value:.2f}" if goal is None else f"{value:.2f} (goal: {goal:g} {which})"
