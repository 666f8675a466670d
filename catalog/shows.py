"""Who is who in a show: a person keeps their portrait and voice in all of its episodes.

Speakers of scripts are recognised by their name, those of recordings by their voice, whatever they are called there. Every
recognition can be confirmed or corrected, and later ones learn from that.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from catalog.tables import Casting, Portrait, Production, ShowMember, ShowSpeaker, now
from media.errors import InputError

SAME_VOICE = 0.8
"""Cosine similarity from which two voices are one person's (measured: docs/catalog.md)."""


@dataclass(frozen=True, slots=True)
class VoicePrint:
    """How a speaker sounds in one recording."""

    embedding: tuple[float, ...]
    """Unit length."""
    model: str
    """Prints of different models are never compared."""
    seconds: float
    """How much of the voice was heard."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """A speaker of an episode and the member of the show that they are."""

    speaker: str
    member_id: int
    member: str
    """The member's name."""
    portrait: str | None
    """Slug of the portrait that the member has; None when they are still to be cast."""
    how: str
    """`name`, `voice`, `person` or `new`."""
    similarity: float | None
    confirmed: bool

    @property
    def reason(self) -> str:
        """Such as `the same person as 'Ann' in earlier episodes (voice 0.91)`."""
        known = {
            "voice": f"voice {self.similarity:.2f}" if self.similarity is not None else "voice",
            "name": "the same name",
            "person": "said by a person",
            "new": "first heard here",
        }[self.how]
        return (
            f"'{self.member}' of the show ({known}{', confirmed' if self.confirmed and self.how != 'person' else ''})"
        )


def recognise(
    session: Session, show: str, production_id: str, speakers: Sequence[str], voices: Mapping[str, VoicePrint]
) -> dict[str, Recognition]:
    """By speaker: who of the show they are, as far as that is known. What was found out about this episode before stays.

    Other transactions wait until this one ends before they recognise or remember anybody of the show.

    Args:
        voices: how speakers sound, by their name; those without are recognised by name.
    """
    _lock(session, show)
    found = {}
    for link in _links(session, production_id):
        if link.member.show != show:
            session.delete(link)  # the episode has moved to another show
        elif link.speaker in speakers:
            found[link.speaker] = _of_link(link)
    session.flush()
    members = _members(session, show)
    known = set(session.scalars(_ids_of(production_id)))
    free = {one.id: one for one in members if one.id not in known}
    prints = _prints(session, [*free])
    scored = sorted(
        (-_similarity(voice, prints[member_id]), speaker, member_id)
        for speaker, voice in voices.items()
        if speaker in speakers and speaker not in found
        for member_id in prints
    )
    for negative, speaker, member_id in scored:
        if -negative >= SAME_VOICE and speaker not in found and member_id in free:
            found[speaker] = _recognition(speaker, free.pop(member_id), "voice", round(-negative, 4))
    by_name = {one.name.casefold(): one for one in free.values() if one.id not in prints}
    by_name |= {one.name.casefold(): one for one in free.values()} if not voices else {}
    for speaker in speakers:
        if speaker not in found and (member := by_name.pop(speaker.casefold(), None)) is not None:
            found[speaker] = _recognition(speaker, member, "name", None)
    return found


def reserved(session: Session, show: str) -> dict[int, str]:
    """Portraits that the members of a show have: slug by id."""
    query = select(Portrait.id, Portrait.slug).join(ShowMember).where(ShowMember.show == show)
    return {row.id: row.slug for row in session.execute(query)}


def remember(
    session: Session,
    show: str,
    production_id: str,
    portraits: Mapping[str, int],
    recognised: Mapping[str, Recognition],
    voices: Mapping[str, VoicePrint],
) -> None:
    """Keep who the speakers of an episode are, for the next one. Who was not recognised becomes a member of the show.

    Args:
        portraits: id of the portrait that each speaker has now.
    """
    _lock(session, show)
    members = {one.id: one for one in _members(session, show)}
    links = {one.speaker: one for one in _links(session, production_id)}
    for speaker, portrait_id in sorted(portraits.items()):
        recognition = recognised.get(speaker)
        owner = next((one for one in members.values() if one.portrait_id == portrait_id), None)
        if recognition is None:
            if owner is not None:
                continue  # somebody else's portrait, for want of another: not a face to be known by
            member = ShowMember(show=show, name=_free_name(speaker, members.values()), portrait_id=portrait_id)
            session.add(member)
            session.flush()
            members[member.id] = member
        else:
            member = members[recognition.member_id]
            if owner is None:
                member.portrait_id = portrait_id
        voice = voices.get(speaker)
        link = links.get(speaker)
        if link is None:
            link = ShowSpeaker(
                production_id=production_id,
                speaker=speaker,
                member_id=member.id,
                how=recognition.how if recognition else "new",
                similarity=recognition.similarity if recognition else None,
                embedding_model="",
                seconds=0.0,
            )
            session.add(link)
        if voice is not None:
            link.embedding, link.embedding_model, link.seconds = list(voice.embedding), voice.model, voice.seconds
    session.flush()


def list_people(session: Session, show: str) -> list[tuple[ShowMember, list[ShowSpeaker]]]:
    """The members of a show by name, each with the episodes they are in.

    Raises:
        InputError: nobody is known of such a show.
    """
    members = _members(session, show)
    if not members:
        shows = session.scalars(select(ShowMember.show).distinct().order_by(ShowMember.show)).all()
        raise InputError(f"nobody is known of a show '{show}'; there are {', '.join(shows) or 'no shows yet'}.")
    links = session.scalars(
        select(ShowSpeaker)
        .where(ShowSpeaker.member_id.in_([one.id for one in members]))
        .order_by(ShowSpeaker.created_at, ShowSpeaker.production_id)
    ).all()
    return [(member, [one for one in links if one.member_id == member.id]) for member in members]


def confirm(session: Session, production_id: str, speaker: str) -> Recognition:
    """Put on record that somebody was recognised rightly.

    Raises:
        InputError: this speaker of this production is nobody of a show.
    """
    link = _link(session, production_id, speaker)
    if link.confirmed_at is None:
        link.confirmed_at = now()
        session.flush()
    return _of_link(link)


def correct(
    session: Session, production_id: str, speaker: str, *, member: str | None = None, new: str | None = None
) -> Recognition:
    """Put on record who a speaker really is: another member, or somebody new. The next run casts accordingly.

    Who was taken for that member in the same production gets this speaker's in exchange. The voice of the one who was
    mistaken is forgotten for this production, and no longer counts as the other's.

    Args:
        member: name of the member that it is.
        new: name for a new member, who is cast as if never seen before.

    Raises:
        InputError: there is no such speaker or member, or the name is taken.
    """
    link = _link(session, production_id, speaker)
    show = link.member.show
    _lock(session, show)
    members = {one.name.casefold(): one for one in _members(session, show)}
    changed = [link]
    speaker = link.speaker
    if new is not None:
        if new.casefold() in members or not new.strip():
            raise InputError(f"show '{show}' has somebody called '{new}' already; choose another name.")
        # The portrait that they have here is the other's; they get their own in the next run.
        link.member = ShowMember(show=show, name=new.strip())
        casting = session.get(Casting, (production_id, link.speaker))
        if casting is not None:
            session.delete(casting)
        link.how, link.similarity, link.confirmed_at = "person", None, now()
        session.flush()
        return _of_link(link)
    found = members.get(str(member).casefold())
    if found is None:
        names = ", ".join(sorted(one.name for one in members.values()))
        raise InputError(f"show '{show}' has nobody called '{member}'; there are {names}.")
    ours = link.member_id
    if found.id != ours:
        other = session.scalar(
            select(ShowSpeaker).where(ShowSpeaker.production_id == production_id, ShowSpeaker.member_id == found.id)
        )
        if other is not None:
            # In three steps, because at no time two speakers of a production may be one member.
            session.delete(other)
            session.flush()
        link.member, link.member_id = found, found.id
        session.flush()
        if other is not None:
            swapped = ShowSpeaker(
                production_id=production_id,
                speaker=other.speaker,
                member_id=ours,
                how="person",
                embedding=other.embedding,
                embedding_model=other.embedding_model,
                seconds=other.seconds,
                confirmed_at=now(),
            )
            session.add(swapped)
            changed.append(swapped)
        for one in changed:
            casting = session.get(Casting, (production_id, one.speaker))
            if casting is not None:
                casting.voice = {}
    link.how, link.similarity, link.confirmed_at = "person", None, now()
    session.flush()
    return _of_link(link)


def rename(session: Session, show: str, name: str, new: str) -> None:
    """Give a member of a show another name.

    Raises:
        InputError: there is no such member, or the new name is taken.
    """
    members = {one.name.casefold(): one for one in _members(session, show)}
    if name.casefold() not in members:
        raise InputError(f"show '{show}' has nobody called '{name}'; see `portrayal catalog people list`.")
    if not new.strip() or (new.casefold() in members and new.casefold() != name.casefold()):
        raise InputError(f"show '{show}': nobody can be called '{new}', for the name is empty or taken.")
    members[name.casefold()].name = new
    session.flush()


def _lock(session: Session, show: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"portrayal show {show}", 0))))


def _members(session: Session, show: str) -> Sequence[ShowMember]:
    return session.scalars(
        select(ShowMember)
        .where(ShowMember.show == show)
        .options(joinedload(ShowMember.portrait))
        .order_by(ShowMember.name, ShowMember.id)
        .execution_options(populate_existing=True)
    ).all()


def _links(session: Session, production_id: str) -> Sequence[ShowSpeaker]:
    return session.scalars(
        select(ShowSpeaker)
        .where(ShowSpeaker.production_id == production_id)
        .options(joinedload(ShowSpeaker.member).joinedload(ShowMember.portrait))
        .order_by(ShowSpeaker.speaker)
    ).all()


def _ids_of(production_id: str) -> Select[tuple[int]]:
    return select(ShowSpeaker.member_id).where(ShowSpeaker.production_id == production_id)


def _link(session: Session, production_id: str, speaker: str) -> ShowSpeaker:
    links = _links(session, production_id)
    for one in links:
        if one.speaker.casefold() == speaker.casefold():
            return one
    if session.get(Production, production_id) is None:
        raise InputError(f"no production '{production_id}' in the catalog; see `portrayal report`.")
    known = f"there are {', '.join(one.speaker for one in links)}" if links else "produce it with --show first"
    raise InputError(f"production '{production_id}': '{speaker}' is nobody of a show; {known}.")


def _of_link(link: ShowSpeaker) -> Recognition:
    return _recognition(link.speaker, link.member, link.how, link.similarity, link.confirmed_at is not None)


def _recognition(
    speaker: str, member: ShowMember, how: str, similarity: float | None, confirmed: bool = False
) -> Recognition:
    return Recognition(
        speaker, member.id, member.name, member.portrait.slug if member.portrait else None, how, similarity, confirmed
    )


def _prints(session: Session, members: Sequence[int]) -> dict[int, list[VoicePrint]]:
    """How members sound, one print a model: the mean of their episodes, each as heavy as what was heard of them."""
    sums: dict[int, dict[str, VoicePrint]] = {}
    for one in session.scalars(
        select(ShowSpeaker)
        .where(ShowSpeaker.member_id.in_(members), ShowSpeaker.seconds > 0)
        .order_by(ShowSpeaker.production_id)
    ):
        if not one.embedding:
            continue
        by_model = sums.setdefault(one.member_id, {})
        before = by_model.get(one.embedding_model)
        total = [one.seconds * value for value in one.embedding]
        if before is not None:
            total = [old + value for old, value in zip(before.embedding, total, strict=True)]
        by_model[one.embedding_model] = VoicePrint(tuple(total), one.embedding_model, 1.0)
    return {member: list(by_model.values()) for member, by_model in sums.items()}


def _similarity(voice: VoicePrint, prints: Sequence[VoicePrint]) -> float:
    """Cosine similarity, -1..1; -1 where the models are others."""
    best = -1.0
    for one in prints:
        if one.model == voice.model and len(one.embedding) == len(voice.embedding):
            dot = math.fsum(a * b for a, b in zip(one.embedding, voice.embedding, strict=True))
            length = math.hypot(*one.embedding) * math.hypot(*voice.embedding)
            best = max(best, dot / length if length else -1.0)
    return min(best, 1.0)


def _free_name(speaker: str, members: Iterable[ShowMember]) -> str:
    taken = {one.name.casefold() for one in members}
    number, name = 1, speaker
    while name.casefold() in taken:
        number += 1
        name = f"{speaker} ({number})"
    return name
