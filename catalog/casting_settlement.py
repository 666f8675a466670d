"""Who of the candidates gets which speaker: all speakers together, by whole numbers, so that the answer is exact."""

from collections.abc import Sequence

from catalog.casting_candidates import LOOKS, LOOKS_IN_ATTRIBUTES, Candidate, Looks

_OUT_OF_REACH = 1 << 120
_LIKE_ANYBODY = 5
"""Likeness up to which two faces are not confused: what two young women with the same hair have in common."""


def settle(candidates: Sequence[Sequence[Candidate]], fixed: Sequence[Looks]) -> list[tuple[Candidate, bool]]:
    """One candidate per speaker, all different, and whether it was changed to look less like somebody.

    First the assignment with the best sum of fit, uses and draws. Then, while two of the cast look alike, the one change
    at the same fit that helps most. `fixed` are the looks of those who are cast already.
    """
    choice = _assign(candidates)
    changed: set[int] = set()
    while True:
        used = {one.id for one in choice}
        changes: list[tuple[tuple[int, int, int], int, Candidate]] = []
        for speaker, current in enumerate(choice):
            others = [*fixed, *(one.looks for one in choice if one is not current)]
            confusion = _confusion(current.looks, others)
            for other in candidates[speaker] if confusion else ():
                if other.id not in used and other.fit == current.fit:
                    gain = confusion - _confusion(other.looks, others)
                    if gain > 0:
                        changes.append(((-gain, other.uses, other.draw), speaker, other))
        if not changes:
            return [(one, speaker in changed) for speaker, one in enumerate(choice)]
        _, speaker, choice[speaker] = min(changes, key=lambda change: change[:2])
        changed.add(speaker)


def _confusion(looks: Looks, others: Sequence[Looks]) -> int:
    """How easily a face is taken for one of the others: 0 when it is like none of them."""
    weights = LOOKS | LOOKS_IN_ATTRIBUTES
    likeness = (sum(weights[trait] for trait, _ in looks & other) for other in others)
    # Squares: one pair of twins is worse than several faint likenesses.
    return sum(max(0, value - _LIKE_ANYBODY) ** 2 for value in likeness)


def _assign(candidates: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Different portraits for all speakers at the least total cost.

    By shortest augmenting paths (Jonker and Volgenant 1987), in whole numbers, so that the answer is exact. There must
    be an assignment; there is one when each speaker has at least as many candidates as there are speakers, or all.
    """
    ids = sorted({one.id: one.slug for column in candidates for one in column}.items(), key=lambda pair: pair[1])
    column_of = {portrait_id: column for column, (portrait_id, _) in enumerate(ids)}
    seen = [{column_of[one.id]: one for one in row} for row in candidates]
    costs = [[_OUT_OF_REACH] * len(ids) for _ in candidates]
    for row, by_column in enumerate(seen):
        for column, one in by_column.items():
            # Fit decides, then uses, then draws: each has room for the sum over a few hundred speakers.
            costs[row][column] = (-one.fit << 80) + (one.uses << 40) + one.draw

    row_price, column_price = [0] * len(costs), [0] * len(ids)
    row_of: dict[int, int] = {}
    for start in range(len(costs)):
        distance: dict[int, int] = {}
        before: dict[int, int | None] = {}
        path: list[int] = []
        unreached = set(range(len(ids)))
        row, reached, so_far = start, None, 0
        while reached is None or reached in row_of:
            for column in unreached:
                length = so_far + costs[row][column] - row_price[row] - column_price[column]
                if column not in distance or length < distance[column]:
                    distance[column], before[column] = length, reached
            reached = min(unreached, key=lambda column: (distance[column], column))
            so_far = distance[reached]
            unreached.remove(reached)
            path.append(reached)
            row = row_of.get(reached, row)
        row_price[start] += so_far
        for column in path[:-1]:
            row_price[row_of[column]] += so_far - distance[column]
            column_price[column] -= so_far - distance[column]
        while reached is not None:
            came_from = before[reached]
            row_of[reached] = start if came_from is None else row_of[came_from]
            reached = came_from
    chosen = {row: column for column, row in row_of.items()}
    return [seen[row][chosen[row]] for row in range(len(costs))]
