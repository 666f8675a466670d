"""Why somebody is cast, in words, and how much of what was asked for they meet."""

from collections.abc import Sequence

from catalog.casting_candidates import Candidate
from catalog.casting_request import SUITS, CastingRequest, near_ages, near_genders, primary_language
from catalog.casting_weights import CastingWeights


def _asked_points(request: CastingRequest, weights: CastingWeights) -> int:
    return (
        (weights.points("gender") if request.gender is not None else 0)
        + (weights.points("age") if request.age is not None else 0)
        + (weights.points("voice") if request.pitch_class in SUITS else 0)
        + (weights.points("language") // 2 if primary_language(request.language) is not None else 0)
        + len(request.tags) * (weights.points("tags") // max(len(request.tags), 1))
        + (weights.points("style") if request.style is not None else 0)
    )


def score(request: CastingRequest, choice: Candidate, weights: CastingWeights) -> float:
    """0..1: the share of the points asked for."""
    asked = _asked_points(request, weights)
    return 1.0 if asked == 0 else round(min(1.0, choice.fit / asked), 3)


def reasons_for(
    request: CastingRequest,
    choice: Candidate,
    candidates: Sequence[Candidate],
    for_looks: bool,
    weights: CastingWeights,
) -> list[str]:
    """Such as "high voice and 'feminine' hint match", "least used of 9 candidates", "weights voice=3"."""
    look = dict(choice.looks)
    presentation, age_band = look["presentation"], look["age_band"]
    asked: list[tuple[str, str, str, Sequence[str]]] = []
    if request.pitch_class in SUITS:
        suits = SUITS[request.pitch_class]
        asked.append((f"{request.pitch_class} voice", suits, presentation, near_genders(suits)))
    if request.gender is not None:
        asked.append((f"'{request.gender}' hint", request.gender, presentation, near_genders(request.gender)))
    if request.age is not None:
        asked.append((f"'{request.age}' hint", request.age, age_band, near_ages(request.age)))
    met = [what for what, wanted, got, _ in asked if got == wanted]
    reasons = [f"{' and '.join(met)} match{'es' if len(met) == 1 else ''}"] if met else []
    for what, wanted, got, near in asked:
        if got != wanted:
            reasons.append(f"{what} {'nearly met' if got in near else 'not met'} ('{got}')")
    if request.pitch_class == "mid":
        reasons.append("mid voice suits any presentation")
    if choice.speaks:
        reasons.append(f"suits language {request.language}")
    if request.tags:
        met = [tag for tag in request.tags if tag in choice.tags]
        reasons.append(f"tagged {', '.join(met)}" if met else f"not tagged {', '.join(request.tags)}")
    if request.style is not None:
        reasons.append(f"{'' if choice.style == request.style else 'not '}of style '{request.style}'")
    equals = [one for one in candidates if one.fit == choice.fit]
    if choice.equals == 1:
        reasons.append("no other candidate fits as well")
    elif for_looks:
        reasons.append(f"of {choice.equals} candidates, not like another speaker")
    elif choice.uses == equals[0].uses < equals[-1].uses:
        reasons.append(f"least used of {choice.equals} candidates")
    else:
        reasons.append(f"drawn from {choice.equals} candidates")
    if weights.changed:
        reasons.append(f"weights {', '.join(f'{name}={value:g}' for name, value in weights.changed.items())}")
    return reasons
