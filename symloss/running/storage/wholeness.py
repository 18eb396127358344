"""Whether a run's books are in order: every candidate that was issued has ended, once, in a known way, or is in flight.

It holds at any moment, also in the middle of a run and after a crash: what is in flight belongs to the batch that the
search was not told yet.
"""

from symloss.language.candidate import MEASURED, State
from symloss.running.storage.store import RunStore

_STATES = ", ".join(f"'{state.value}'" for state in State)
_MEASURED = ", ".join(f"'{state.value}'" for state in MEASURED)
_MOST = 5  # numbers that a finding names

# Finding in words -> numbers of the candidates, or the batches, that it is about.
_CHECKS = {
    "candidates are missing: their numbers do not follow one another from 0": """
        SELECT number FROM (SELECT number, ROW_NUMBER() OVER (ORDER BY number) - 1 AS place FROM candidates)
        WHERE number != place""",
    "candidates belong to an earlier batch than one before them": """
        SELECT number FROM (SELECT number, batch, LAG(batch) OVER (ORDER BY number) AS before FROM candidates)
        WHERE batch < before""",
    "told batches are missing: their numbers do not follow one another from 0": """
        SELECT number FROM (SELECT number, ROW_NUMBER() OVER (ORDER BY number) - 1 AS place FROM batches)
        WHERE number != place""",
    "outcomes belong to candidates that were never issued": """
        SELECT candidate FROM outcomes LEFT JOIN candidates ON candidate = number WHERE number IS NULL""",
    "outcomes have a state that is none": f"SELECT candidate FROM outcomes WHERE state NOT IN ({_STATES})",
    "outcomes lack a reason, or are scored and have one": """
        SELECT candidate FROM outcomes WHERE (state = 'scored') = (reason != '')""",
    "duplicates have no earlier candidate for a twin, or others have one": """
        SELECT outcomes.candidate FROM outcomes LEFT JOIN candidates ON number = twin
        WHERE CASE state WHEN 'duplicate' THEN number IS NULL OR twin >= outcomes.candidate
                         ELSE twin IS NOT NULL END""",
    "outcomes are scored or stopped without a measurement": f"""
        SELECT candidate FROM outcomes WHERE state IN ({_MEASURED})
        AND NOT EXISTS (SELECT 1 FROM measurements WHERE measurements.candidate = outcomes.candidate)""",
    "measurements belong to candidates that were not scored or stopped": f"""
        SELECT DISTINCT candidate FROM measurements WHERE candidate NOT IN
        (SELECT candidate FROM outcomes WHERE state IN ({_MEASURED}))""",
}

# Of a search with generations, which are told as they are asked; `{open}` is the one that was not told yet.
_IN_TURN = {
    "told batches do not have the number of candidates that they say": """
        SELECT number FROM batches LEFT JOIN (SELECT batch, COUNT(*) AS issued FROM candidates GROUP BY batch)
        ON batch = number WHERE candidates IS NOT issued""",
    "candidates were issued before the search was told the batch before theirs": """
        SELECT number FROM candidates WHERE batch > {open}""",
    "candidates of told batches have no outcome": """
        SELECT number FROM candidates LEFT JOIN outcomes ON candidate = number
        WHERE candidate IS NULL AND batch < {open}""",
}

# Of an asynchronous search, whose batches are numbered as they were told: the batches, as they were asked, of those.
_TOLD = "(SELECT own.batch FROM told JOIN candidates AS own ON own.number = told.first)"
_AS_THEY_END = {
    "told batches do not have the number of candidates that they say": """
        SELECT batches.number FROM batches LEFT JOIN told ON told.batch = batches.number
        LEFT JOIN candidates AS own ON own.number = first
        LEFT JOIN (SELECT batch, COUNT(*) AS issued FROM candidates GROUP BY batch) AS sizes ON sizes.batch = own.batch
        WHERE candidates IS NOT issued""",
    "candidates were told twice": "SELECT first FROM told GROUP BY first HAVING COUNT(*) > 1",
    "candidates of told batches have no outcome": f"""
        SELECT number FROM candidates LEFT JOIN outcomes ON candidate = number
        WHERE candidate IS NULL AND batch IN {_TOLD}""",
}


def check_whole(store: RunStore) -> list[str]:
    """Check that the books of a run are in order.

    Returns:
        What is wrong, in words; nothing where all is well.

    Raises:
        RunError: the file cannot be read.

    Example:
        >>> with RunStore.read(Path("runs/mine/run.sqlite")) as store:
        ...     check_whole(store)
        []
    """
    (open_batch,) = store.look("SELECT COUNT(*) FROM batches")[0]
    checks = _CHECKS | (_AS_THEY_END if is_streamed(store) else _IN_TURN)
    found = ((words, store.look(query.format(open=open_batch))) for words, query in checks.items())
    findings = [f"{len(rows)} {words}: {_named(rows)}" for words, rows in found if rows]
    issued, ended, flying = store.issued(), sum(store.counts().values()), in_flight(store)
    if issued != ended + flying:
        findings.append(f"{issued} candidates were issued, and {ended} have ended and {flying} are in flight")
    return findings


def in_flight(store: RunStore) -> int:
    """Return how many candidates of batches that the search was not told yet have no outcome."""
    open_ones = f"NOT IN {_TOLD}" if is_streamed(store) else "= (SELECT COUNT(*) FROM batches)"
    return int(
        store.look(
            "SELECT COUNT(*) FROM candidates LEFT JOIN outcomes ON candidate = number "
            f"WHERE candidate IS NULL AND batch {open_ones}"
        )[0][0]
    )


def is_streamed(store: RunStore) -> bool:
    """Whether a run's search is asynchronous."""
    return bool(store.meta().get("asynchronous", False))


def _named(rows: list[tuple[int, ...]]) -> str:
    more = ", ..." if len(rows) > _MOST else ""
    return ", ".join(str(row[0]) for row in rows[:_MOST]) + more
