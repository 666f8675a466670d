"""`portrayal catalog`: the portraits, their rights, and who would be cast as whom."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli_request import JsonOption
from media.errors import InputError

if TYPE_CHECKING:
    from catalog.tables import Portrait

app = typer.Typer(help="Portraits, their rights, and who is cast as whom.", no_args_is_help=True)
consent_app = typer.Typer(help="Who allowed the use of a portrait, until when.", no_args_is_help=True)
app.add_typer(consent_app, name="consent")
people_app = typer.Typer(help="Who is who in a show, from episode to episode.", no_args_is_help=True)
app.add_typer(people_app, name="people")

Slug = Annotated[
    str,
    typer.Argument(metavar="PORTRAIT", help="Slug of the portrait, as `catalog list` shows it."),
]
Purpose = Annotated[
    str | None,
    typer.Option(metavar="WORD", help="Only those that may be used for this, e.g. advertising."),
]
Region = Annotated[str | None, typer.Option(metavar="CODE", help="Only those that may be shown there, e.g. DE.")]
Languages = Annotated[
    list[str] | None, typer.Option("--lang", metavar="TAG", help="Only those for this language (repeatable).")
]


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder of pictures, or a table (.csv) with one portrait a row.")],
    for_all: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="COLUMN=VALUE", help="For cells that are empty, e.g. licence=CC0-1.0 (repeatable)."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be imported.")] = False,
    allow_similar: Annotated[
        bool, typer.Option("--allow-similar", help="Also pictures that look almost like another one.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Import portraits, all or none: every problem is listed first, by row and column."""
    from dataclasses import asdict

    from flows.cli_request import pairs
    from flows.console import print_json, print_table
    from tasks.importing import import_portraits

    outcome = import_portraits(source, pairs("--set", for_all), dry_run=dry_run, allow_similar=allow_similar)
    if json:
        print_json(asdict(outcome))
    elif outcome.problems:
        rows = [(str(one.row), one.column, one.problem) for one in outcome.problems]
        print_table(f"{source}: nothing is imported", ("Row", "Column", "Problem"), rows)
    else:
        print(
            f"{len(outcome.added)} portraits {'would be' if dry_run else 'are'} imported, {len(outcome.present)} were there."
        )
        if outcome.warnings:
            noted = [(str(one.row), one.column, one.problem) for one in outcome.warnings]
            print_table("To be looked at", ("Row", "Column", "Note"), noted)
        if outcome.without_consent:
            print(
                f"Without a consent, and not cast before there is one (`portrayal catalog consent add`): "
                f"{', '.join(outcome.without_consent[:10])}{' ...' if len(outcome.without_consent) > 10 else ''}"
            )
    if outcome.problems:
        raise InputError(
            f"{source}: nothing is imported, because of {len(outcome.problems)} problems; correct them and import it again."
        )


@app.command("list")
def list_(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...",
            help="Only portraits with all these words in name, looks, source, licence or attributes.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="TRAIT=VALUE",
            help="Only such portraits, e.g. presentation=feminine (repeatable).",
        ),
    ] = None,
    usable: Annotated[bool, typer.Option("--usable", help="Only portraits that may be used now.")] = False,
    purpose: Purpose = None,
    region: Region = None,
    lang: Languages = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only those with this tag (repeatable).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file to draw them on, with their names.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Retired portraits, too.")] = False,
    json: JsonOption = False,
) -> None:
    """List the portraits."""
    from catalog.portraits import list_portraits
    from catalog.rights import ANY_USE, use_of
    from catalog.session import session_factory
    from catalog.tables import now
    from flows.console import print_json, print_table
    from tasks import workspace
    from tasks.portraits import draw_sheet

    if sheet is not None and sheet.suffix.lower() != ".png":
        raise InputError(f"--sheet {sheet}: the sheet is a PNG picture; give it a name that ends in .png.")
    traits = {}
    for condition in where or []:
        trait, equals, value = condition.partition("=")
        if not equals:
            raise InputError(f"--where {condition}: write it as TRAIT=VALUE, for example presentation=feminine.")
        traits[trait.strip()] = value.strip()
    use = use_of(purpose, region, lang or ())
    usable = usable or use != ANY_USE
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        found = list_portraits(
            session,
            include_retired=all_,
            usable_at=now() if usable else None,
            use=use,
            words=words or (),
            tags=tag or (),
            limit=limit,
            **traits,
        )
        rows = [_facts(portrait) for portrait in found]
    if sheet is not None:
        draw_sheet(found, workspace.store(), sheet)
    if json:
        print_json(rows)
        return
    shown = ("slug", "name", "presentation", "age_band", "skin", "hair", "clothing", "style")
    print_table(
        f"{len(rows)} portraits",
        (
            "Portrait",
            "Name",
            "Presentation",
            "Age",
            "Skin",
            "Hair",
            "Clothing",
            "Style",
            "Retired",
        ),
        [(*(row[key] for key in shown), (row["retired_at"] or "")[:10]) for row in rows],
    )


@app.command()
def show(slug: Slug, json: JsonOption = False) -> None:
    """Show one portrait: what it looks like, its licence, its consents, where it is used."""
    from sqlalchemy import select

    from catalog.portraits import find_portrait
    from catalog.session import session_factory
    from catalog.tables import Casting
    from flows.console import print_json, print_table
    from tasks import workspace
    from tasks.portraits import require_thumbnail

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        portrait = find_portrait(session, slug)
        facts = _facts(portrait) | {
            "face": list(portrait.face),
            "size": [portrait.width, portrait.height],
            "attributes": portrait.attributes,
            "picture": str(workspace.store().uri(portrait.image_key)),
            "thumbnail": str(workspace.store().uri(require_thumbnail(portrait, workspace.store()))),
            "consents": [
                {
                    "id": consent.id,
                    "kind": consent.kind,
                    "subject": consent.subject,
                    "scope": consent.scope,
                    "document_uri": consent.document_uri,
                    "document_sha256": consent.document_sha256,
                    "purposes": consent.purposes,
                    "regions": consent.regions,
                    "languages": consent.languages,
                    "valid_from": consent.valid_from.isoformat(),
                    "valid_until": consent.valid_until.isoformat() if consent.valid_until else None,
                    "revoked_at": consent.revoked_at.isoformat() if consent.revoked_at else None,
                }
                for consent in portrait.consents
            ],
            "cast_in": sorted(
                session.scalars(select(Casting.production_id).where(Casting.portrait_id == portrait.id)).all()
            ),
        }
    if json:
        print_json(facts)
        return
    consents = facts.pop("consents")
    print_table(
        facts.pop("name"),
        ("", ""),
        [(key.replace("_", " "), _shown(value)) for key, value in facts.items()],
    )
    print_table(
        "Consents",
        ("No.", "Subject", "Scope", "Purposes", "Regions", "Languages", "From", "Until", "Revoked"),
        [
            (
                str(one["id"]),
                one["subject"],
                one["scope"],
                *(", ".join(one[limit]) or "any" for limit in ("purposes", "regions", "languages")),
                one["valid_from"][:10],
                (one["valid_until"] or "without end")[:16],
                (one["revoked_at"] or "")[:16],
            )
            for one in consents
        ],
    )


@app.command()
def cast(
    source: Annotated[Path, typer.Argument(help="A script or a recording.")],
    wish: Annotated[
        list[str] | None,
        typer.Option(
            "--cast",
            metavar="NAME=PORTRAIT",
            help="Portrait for a speaker (repeatable).",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the production. Default: the source's.")] = None,
    json: JsonOption = False,
) -> None:
    """Say who would be cast for the speakers of a source, and why. Changes nothing."""
    from flows.cli_request import pairs
    from flows.console import print_json, print_table, progress_on_stderr
    from flows.plan import make_plan
    from tasks.request import checked_request

    request = checked_request(source=str(source), name=name, cast=pairs("--cast", wish))
    with progress_on_stderr(show=not json):
        planned = make_plan(request)
    rows = [casting.as_json() for casting in planned.castings]
    if json:
        print_json(rows)
        return
    print_table(
        f"Casting of {planned.name}",
        ("Speaker", "Portrait", "Score", "Reason"),
        [(row["speaker"], row["portrait"], f"{row['score']:.2f}", row["reason"]) for row in rows],
    )


@app.command()
def retire(slug: Slug) -> None:
    """Take a portrait out of use from now on. What was made with it stays on record."""
    from catalog import portraits
    from catalog.session import session_factory
    from tasks import workspace

    with session_factory(workspace.catalog()).begin() as session:
        portraits.retire(session, slug)
    print(f"'{slug}' is retired: it will not be cast or rendered any more.")


@app.command()
def audit(
    slug: Annotated[
        str | None, typer.Argument(metavar="[PORTRAIT]", help="Only this portrait. Default: all.", show_default=False)
    ] = None,
    consent: Annotated[int | None, typer.Option(help="Only videos that rest on the consent of this number.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only videos in which this person's face is used.")] = None,
    changes: Annotated[
        bool, typer.Option("--changes", help="Who changed what, and when, instead of the videos.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many, the newest.")] = None,
    json: JsonOption = False,
) -> None:
    """List every video in which a portrait or a consent was used, or every change of portraits, consents and castings."""
    from dataclasses import asdict

    from catalog.portraits import find_portrait
    from catalog.rights import changed, list_appearances, list_changes
    from catalog.session import session_factory
    from catalog.tables import Consent
    from flows.console import print_json, print_table
    from tasks import workspace

    if changes and (consent is not None or subject is not None):
        raise InputError(
            "--changes: the changes of one portrait can be listed, by its name; leave the other options out."
        )
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        if slug is not None:
            find_portrait(session, slug)
        if consent is not None and session.get(Consent, consent) is None:
            raise InputError(f"no consent {consent}: see `portrayal catalog show PORTRAIT` for a portrait's consents.")
        entries: list[dict[str, Any]]
        if changes:
            entries = [
                {
                    "at": one.at.isoformat(),
                    "actor": one.actor,
                    "action": one.action,
                    "table": one.table_name,
                    "row": one.row_key,
                    "changed": {column: list(values) for column, values in changed(one).items()},
                }
                for one in list_changes(session, portrait=slug, limit=limit)
            ]
        else:
            found = list_appearances(session, portrait=slug, consent=consent, subject=subject)[:limit]
            entries = [asdict(one) | {"at": one.at.isoformat()} for one in found]
    if json:
        print_json(entries)
        return
    if changes:
        rows = [
            (one["at"][:19], one["actor"], f"{one['action']} {one['table']} {one['row']}", _how(one)) for one in entries
        ]
        print_table(f"{len(rows)} changes", ("When (UTC)", "Who", "What", "How"), rows)
        return
    columns = ("at", "production", "language", "speaker", "portrait", "consent", "subject", "today", "video")
    shown = [tuple(_shown(one[column])[: 19 if column == "at" else None] for column in columns) for one in entries]
    titles = (
        "Published (UTC)",
        "Production",
        "Language",
        "Speaker",
        "Portrait",
        "Consent",
        "Subject",
        "Today",
        "Video",
    )
    print_table(f"{len(shown)} appearances", titles, shown)


@app.command()
def check(json: JsonOption = False) -> None:
    """Check that every portrait in use has its picture and its rights, now and for the next 30 days."""
    from flows.console import print_json
    from tasks.portraits import check_portraits

    problems = check_portraits()
    if json:
        print_json([{"portrait": one.slug, "problem": one.problem, "refuses": one.refuses} for one in problems])
    else:
        for one in problems:
            print(f"{one.slug}: {one.problem}")
        print("Every portrait may be used and has its picture." if not problems else f"{len(problems)} to look at.")
    if any(one.refuses for one in problems):
        raise typer.Exit(1)


@app.command()
def presenters(
    sheet: Annotated[Path, typer.Option(help="PNG file to write.")],
    columns: Annotated[int, typer.Option(min=1, max=24, help="Portraits in a row.")] = 6,
    emotion: Annotated[
        str, typer.Option(help="What they feel: neutral, joy, concern, anger, surprise, or all, one after the other.")
    ] = "neutral",
) -> None:
    """Draw the starter cast on one sheet."""
    from models.avatars.drawing import sheet as draw_sheet
    from models.avatars.emotion import EMOTIONS, pose_of
    from models.avatars.presenters import STARTER_CAST

    if emotion not in (*EMOTIONS, "all"):
        raise InputError(f"--emotion {emotion}: there is no such emotion; choose one of {', '.join(EMOTIONS)}, all.")
    shown = EMOTIONS if emotion == "all" else (emotion,)
    people = [presenter for presenter in STARTER_CAST for _ in shown]
    poses = [pose_of(one) for one in shown] * len(STARTER_CAST)  # type: ignore[arg-type]

    if sheet.suffix.lower() != ".png":
        raise InputError(f"--sheet {sheet}: the sheet is a PNG picture; give it a name that ends in .png.")
    try:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        draft = sheet.with_name(f".{sheet.name}")
        draw_sheet(people, draft, columns=columns, poses=poses)
        draft.replace(sheet)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{sheet}: cannot be written ({error}); choose another place.") from None
    print(f"{len(STARTER_CAST)} presenters: {sheet}")


@consent_app.command("add")
def consent_add(
    slug: Slug,
    subject: Annotated[str, typer.Option(help="Whose face it is.")],
    scope: Annotated[str, typer.Option(help="What it may be used for.")] = "any use",
    document: Annotated[str, typer.Option(help="Where the signed document is.")] = "",
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="First day or moment. Default: now."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help="First day or moment without it. Default: without end.",
        ),
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The face is nobody's.")] = False,
    purpose: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Only for this, e.g. advertising (repeatable). Default: anything."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Only there, e.g. DE (repeatable). Default: everywhere."),
    ] = None,
    lang: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Only in this language (repeatable). Default: all."),
    ] = None,
    document_sha256: Annotated[
        str, typer.Option(metavar="HEX", help="SHA-256 of the document. Default: read from it, if it is a file here.")
    ] = "",
) -> None:
    """Put a consent on record."""
    from catalog.portraits import ConsentFacts, add_consent, find_portrait
    from catalog.session import session_factory
    from tasks import workspace

    facts = ConsentFacts(
        subject=subject,
        scope=scope,
        document_uri=document,
        kind="synthetic" if synthetic else "person",
        valid_from=_moment("--from", since),
        valid_until=_moment("--until", until),
        document_sha256=document_sha256 or _hash_of(document),
        purposes=purpose or (),
        regions=region or (),
        languages=lang or (),
    )
    with session_factory(workspace.catalog()).begin() as session:
        consent = add_consent(session, find_portrait(session, slug), facts)
        print(f"Consent {consent.id} for '{slug}' is on record.")


@consent_app.command("revoke")
def consent_revoke(
    number: Annotated[int, typer.Argument(help="Number of the consent, as `catalog show` prints it.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="When it was taken back. Default: now."),
    ] = None,
) -> None:
    """Put on record that a consent was taken back."""
    from catalog.portraits import revoke_consent
    from catalog.session import session_factory
    from tasks import workspace

    with session_factory(workspace.catalog()).begin() as session:
        revoke_consent(session, number, _moment("--at", at))
    print(f"Consent {number} is revoked.")


ProductionName = Annotated[str, typer.Argument(help="Name of the production, as `portrayal report` shows it.")]
SpeakerName = Annotated[str, typer.Argument(help="The speaker, as the production calls them.")]


@people_app.command("list")
def people_list(show: Annotated[str, typer.Argument(help="Name of the show.")], json: JsonOption = False) -> None:
    """List who is known in a show, and in which episodes they were recognised, how and how surely."""
    from catalog.session import session_factory
    from catalog.shows import list_people
    from flows.console import print_json, print_table
    from tasks import workspace

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        rows: list[dict[str, Any]] = [
            {
                "name": member.name,
                "portrait": member.portrait.slug if member.portrait else None,
                "episodes": [
                    {
                        "production": one.production_id,
                        "speaker": one.speaker,
                        "how": one.how,
                        "similarity": one.similarity,
                        "confirmed": one.confirmed_at is not None,
                    }
                    for one in links
                ],
            }
            for member, links in list_people(session, show)
        ]
    if json:
        print_json(rows)
        return
    shown = [
        (
            row["name"],
            row["portrait"] or "",
            one["production"],
            one["speaker"],
            one["how"] + (f" {one['similarity']:.2f}" if one["similarity"] is not None else ""),
            "yes" if one["confirmed"] else "",
        )
        for row in rows
        for one in row["episodes"]
    ]
    print_table(
        f"{show}: {len(rows)} people", ("Who", "Portrait", "Production", "Speaker", "Known by", "Confirmed"), shown
    )


@people_app.command("confirm")
def people_confirm(production: ProductionName, speaker: SpeakerName) -> None:
    """Say that somebody was recognised rightly."""
    from catalog.session import session_factory
    from catalog.shows import confirm
    from tasks import workspace

    with session_factory(workspace.catalog()).begin() as session:
        known = confirm(session, production, speaker)
    print(f"'{known.speaker}' in '{production}' is '{known.member}': confirmed.")


@people_app.command("correct")
def people_correct(
    production: ProductionName,
    speaker: SpeakerName,
    is_: Annotated[str | None, typer.Option("--is", metavar="NAME", help="Who of the show it really is.")] = None,
    new: Annotated[str | None, typer.Option("--new", metavar="NAME", help="Name, when it is somebody new.")] = None,
) -> None:
    """Say who a speaker really is. Produce again, and they are cast accordingly."""
    from catalog.session import session_factory
    from catalog.shows import correct
    from tasks import workspace

    if (is_ is None) == (new is None):
        raise InputError("say who it is: --is NAME for somebody of the show, or --new NAME.")
    with session_factory(workspace.catalog()).begin() as session:
        known = correct(session, production, speaker, member=is_, new=new)
    print(f"'{known.speaker}' in '{production}' is '{known.member}'; produce it again to see it so.")


@people_app.command("rename")
def people_rename(
    show: Annotated[str, typer.Argument(help="Name of the show.")],
    name: Annotated[str, typer.Argument(help="What they are called now.")],
    new: Annotated[str, typer.Argument(help="What they shall be called.")],
) -> None:
    """Give somebody of a show another name, such as a real one for 'Speaker 2'."""
    from catalog import shows
    from catalog.session import session_factory
    from tasks import workspace

    with session_factory(workspace.catalog()).begin() as session:
        shows.rename(session, show, name, new)
    print(f"'{name}' of '{show}' is now '{new}'.")


def _how(entry: dict[str, Any]) -> str:
    """What changed, for people: all of an update, and by what a new or deleted row is known."""
    if entry["action"] == "update":
        return "; ".join(f"{key}: {_shown(old)} -> {_shown(new)}" for key, (old, new) in entry["changed"].items())
    known_by = ("slug", "name", "subject", "scope", "speaker", "reason")
    return "; ".join(f"{key}: {_shown(new or old)}" for key, (old, new) in entry["changed"].items() if key in known_by)


def _hash_of(document: str) -> str:
    """SHA-256 of a file, for evidence; empty for what is elsewhere.

    Raises:
        InputError: it looks like a file and cannot be read.
    """
    import hashlib

    if not document or "://" in document:
        return ""
    try:
        with Path(document).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"--document {document}: cannot be read ({error.strerror}); name the file, or a URL with --document-sha256."
        ) from None


def _moment(option: str, text: str | None) -> Any:
    from tasks.importing import moment

    if text is None:
        return None
    try:
        return moment(text)
    except ValueError as error:
        raise InputError(f"{option} {text}: it {error}.") from None


def _facts(portrait: "Portrait") -> dict[str, Any]:
    return {
        "slug": portrait.slug,
        "name": portrait.name,
        "presentation": portrait.presentation,
        "age_band": portrait.age_band,
        "skin": portrait.skin,
        "hair": portrait.hair,
        "glasses": portrait.glasses,
        "head_covering": portrait.head_covering,
        "clothing": portrait.clothing,
        "style": portrait.style,
        "licence": portrait.licence,
        "licence_purposes": portrait.licence_purposes,
        "licence_regions": portrait.licence_regions,
        "licence_until": portrait.licence_until.isoformat() if portrait.licence_until else None,
        "source": portrait.source,
        "tags": portrait.attributes.get("tags", []),
        "retired_at": portrait.retired_at.isoformat() if portrait.retired_at else None,
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')}: {_shown(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value) or "none"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else str(value)
