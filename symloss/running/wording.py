"""How far a search is, in words: for the terminal, the log and the notebook alike."""

from symloss.language.candidate import State
from symloss.running.observer import Progress


def progress_lines(progress: Progress) -> list[str]:
    """Return what there is to know of a running search, in three lines."""
    left = "" if progress.left is None else f", {duration(progress.left)} left"
    best = f"best {progress.fitness:.4g}: {progress.best}" if progress.fitness is not None else "best: none scored yet"
    counts = ", ".join(f"{progress.counts.get(state, 0)} {state.value.replace('_', ' ')}" for state in State)
    return [
        f"generation {progress.generation}, {progress.evaluated} evaluated of {progress.candidates} proposed, "
        f"{progress.rate:.1f}/s, {duration(progress.seconds)}{left}",
        best,
        counts,
    ]


def progress_line(progress: Progress) -> str:
    """Return the same in one line."""
    return "; ".join(progress_lines(progress))


def duration(seconds: float) -> str:
    """Write seconds for people: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
