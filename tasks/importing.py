"""Pictures from a folder or a table become portraits of the catalog: every problem is said first, then all go in or none.

A table (CSV, UTF-8) has one portrait a row; a folder without a table is read as one with the names of its pictures.
Cells that are empty are filled from what is said for all rows. Faces in photographs are looked for, and what cannot be animated
is a problem of its row.
"""

import hashlib
import io
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media.errors import InputError
from media.likeness import ALIKE, distances, perceptual_hash
from media.textfile import read_text
from tasks import workspace
from tasks.portraits import store_thumbnail, thumbnail_key

if TYPE_CHECKING:
    from PIL.Image import Image
    from sqlalchemy.orm import Session

    from catalog.portraits import ConsentFacts, PortraitFacts
    from models.faces import FaceFinder, Region

TABLE = "portraits.csv"
"""The table of a folder that has one."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".tif", ".tiff", ".bmp", ".gif")
"""Pictures that are not read; in a folder they are named rather than passed over."""
TRAITS = ("presentation", "age_band", "skin", "hair", "glasses", "head_covering", "clothing", "style")
CONSENT = (
    "consent_kind",
    "consent_subject",
    "consent_scope",
    "consent_document",
    "consent_document_sha256",
    "consent_purposes",
    "consent_regions",
    "consent_languages",
    "consent_from",
    "consent_until",
)
COLUMNS = (
    "file",
    "slug",
    "name",
    "face",
    *TRAITS,
    "languages",
    "tags",
    "licence",
    "licence_purposes",
    "licence_regions",
    "licence_until",
    "source",
    *CONSENT,
)
"""Any other column must begin with `attributes.` and is kept under the rest of its name."""
LEAST_SIDE, MOST_PIXELS = 64, 50_000_000
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one cell."""

    row: int
    """As a spreadsheet counts: the first portrait of a table is in row 2; of a folder it is number 1."""
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import did, or would do."""

    added: tuple[str, ...]
    """Slugs."""
    present: tuple[str, ...]
    """Slugs that the catalog has already with the same picture; they stay as they are."""
    without_consent: tuple[str, ...]
    """Of those added: they are not cast before a consent is on record."""
    problems: tuple[RowProblem, ...]
    """When there are any, nothing was added."""
    warnings: tuple[RowProblem, ...] = ()
    """What does not stop anything, and should be looked at."""


@dataclass(slots=True)
class _Row:
    number: int
    cells: dict[str, str]
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[RowProblem] = field(default_factory=list)

    def refuse(self, column: str, problem: str) -> None:
        self.problems.append(RowProblem(self.number, column, problem))

    def warn(self, column: str, text: str) -> None:
        self.warnings.append(RowProblem(self.number, column, text))

    def read(self, column: str, parse: Callable[[str], Any], default: Any) -> Any:
        """A cell that is not empty, parsed; what it cannot be is a problem of this row."""
        text = self.cells.get(column, "")
        if not text:
            return default
        try:
            return parse(text)
        except InputError as error:
            self.refuse(column, str(error).rstrip("."))
        except ValueError as error:
            self.refuse(column, f"'{text}' {error}")
        return default


def import_portraits(
    path: Path, defaults: Mapping[str, str], *, dry_run: bool = False, allow_similar: bool = False
) -> ImportOutcome:
    """Import the pictures of a folder, or of a table whose pictures lie beside or below it. All or nothing.

    Args:
        defaults: by column, for cells that are empty.
        dry_run: only say what would be done.
        allow_similar: also take pictures that look almost like another one.

    Raises:
        InputError: there is no table or picture to read, or a column that no portrait has.
    """
    from models.faces import FaceFinder

    folder, rows = _rows(path, defaults)
    finder = FaceFinder()
    engine = workspace.catalog()
    from catalog.session import session_factory

    workspace.scratch().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.scratch(), suffix=".part") as pictures:
        found = [_read_row(row, folder, Path(pictures), finder) for row in rows]
        with session_factory(engine).begin() as session:
            present = _compare(session, rows, found, allow_similar)
            problems = tuple(problem for row in rows for problem in row.problems)
            wanted = [one for one in found if one is not None and one.slug not in present]
            outcome = ImportOutcome(
                added=() if problems else tuple(one.slug for one in wanted),
                present=tuple(sorted(present)),
                without_consent=tuple(one.slug for one in wanted if one.consent is None),
                problems=problems,
                warnings=tuple(warning for row in rows for warning in row.warnings),
            )
            if problems or dry_run:
                return outcome
            _keep(session, wanted, Path(pictures))
    return outcome


def _rows(path: Path, defaults: Mapping[str, str]) -> tuple[Path, list[_Row]]:
    if not path.exists():
        raise InputError(f"{path} does not exist; name a folder of pictures or a table (.csv).")
    for column in defaults:
        _known(column, "--set")
    if path.is_dir() and not (path / TABLE).exists():
        read = SUFFIXES + OTHER_SUFFIXES
        files = sorted(one.name for one in path.iterdir() if one.suffix.lower() in read and one.name[0] != ".")
        if not files:
            raise InputError(f"{path}: there is no picture in this folder ({', '.join(SUFFIXES)}); name another one.")
        return path, [_Row(number, {**defaults, "file": name}) for number, name in enumerate(files, 1)]
    table = path / TABLE if path.is_dir() else path
    if table.suffix.lower() != ".csv":
        raise InputError(f"{table}: portraits are imported from a folder or a table in CSV; name one of these.")
    return table.parent, list(_table_rows(table, defaults))


def _table_rows(table: Path, defaults: Mapping[str, str]) -> Iterator[_Row]:
    import pandas as pd

    text = read_text(table)
    head = re.split(r"[\r\n]", text, maxsplit=1)[0]
    try:
        cells = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=max(",;\t", key=head.count),
            dtype=str,
            keep_default_na=False,
            header=None,
            skip_blank_lines=False,
        )
    except pd.errors.EmptyDataError:
        raise InputError(
            f"{table}: the table is empty; its first row names the columns, of which 'file' is one."
        ) from None
    except (pd.errors.ParserError, ValueError) as error:
        said = str(error).strip().splitlines()[-1].rstrip(".")
        raise InputError(f"{table}: this is not a table in CSV ({said}); correct it.") from None
    columns = [str(cell).strip().casefold() for cell in cells.iloc[0].fillna("")]
    for column in columns:
        _known(column, f"{table}:1")
        if columns.count(column) > 1:
            raise InputError(f"{table}:1: there are two columns '{column}'; leave one out.")
    if "file" not in columns:
        raise InputError(f"{table}:1: the table needs a column 'file' with the name of each picture.")
    if len(cells) - 1 > MOST_ROWS:
        raise InputError(f"{table}: more than {MOST_ROWS} rows; split the table.")
    count = 0
    for index, record in enumerate(cells.iloc[1:].fillna("").itertuples(index=False), 2):
        given = {column: str(cell).strip() for column, cell in zip(columns, record, strict=True)}
        if any(given.values()):
            count += 1
            yield _Row(index, {**defaults, **{column: cell for column, cell in given.items() if cell}})
    if not count:
        raise InputError(f"{table}: there is no row below the first one; add a row for each portrait.")


def _known(column: str, where: str) -> None:
    if column not in COLUMNS and not re.fullmatch(r"attributes\.[\w-]+", column):
        raise InputError(
            f"{where}: portraits have no column '{column}'; there are {', '.join(COLUMNS)}, and attributes.ANYTHING."
        )


def _read_row(row: _Row, folder: Path, pictures: Path, finder: "FaceFinder") -> "PortraitFacts | None":
    """What a row says and its picture shows; None when it cannot be a portrait. The picture is left in `pictures`."""
    from catalog.portraits import PortraitFacts, check_facts
    from catalog.rights import languages, purposes, regions
    from catalog.tables import AGE_BANDS, PRESENTATIONS, STYLES

    def listed(check: Callable[[Sequence[str], str], list[str]], column: str) -> list[str]:
        where = f"row {row.number}"
        return list(row.read(column, lambda text: check(_words(text), where), []))

    name = row.cells.get("file", "")
    slug = row.cells.get("slug") or _slug_of(Path(name).stem)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 100:
        row.refuse(
            "slug", f"'{slug}' must be lower-case ASCII letters and digits joined by dashes, at most 100 of them"
        )
    presentation = row.read("presentation", _one_of(PRESENTATIONS), "neutral")
    age_band = row.read("age_band", _one_of(AGE_BANDS), "adult")
    face = row.read("face", _face, None)
    style = row.read("style", _one_of(STYLES), "")
    if not row.cells.get("licence"):
        row.refuse("licence", "is missing; say under which terms the picture may be used")
    attributes: dict[str, Any] = {
        column.removeprefix("attributes."): cell
        for column, cell in row.cells.items()
        if column.startswith("attributes.") and cell
    }
    attributes["languages"] = listed(languages, "languages")
    attributes["tags"] = listed(purposes, "tags")
    licence_purposes, licence_regions = listed(purposes, "licence_purposes"), listed(regions, "licence_regions")
    licence_until = row.read("licence_until", moment, None)
    consent = _consent(
        row,
        listed(purposes, "consent_purposes"),
        listed(regions, "consent_regions"),
        listed(languages, "consent_languages"),
    )
    picture = _picture(row, folder, name)
    if picture is None:
        return None
    face, style, found = _face_of(row, picture, face, style, finder)
    if face is None or row.problems:
        return None
    if found:
        attributes.setdefault("found_face", found)
    png = io.BytesIO()
    picture.save(png, "PNG", compress_level=6)
    content = png.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    (pictures / f"{digest}.png").write_bytes(content)
    facts = PortraitFacts(
        slug=slug,
        name=row.cells.get("name") or slug.replace("-", " ").title(),
        image_key=f"portraits/{digest}.png",
        content_sha256=digest,
        width=picture.width,
        height=picture.height,
        face=face,
        licence=row.cells["licence"],
        source=row.cells.get("source") or f"imported from {Path(name).name}",
        presentation=presentation,
        age_band=age_band,
        style=style,
        attributes=attributes,
        consent=consent,
        licence_purposes=licence_purposes,
        licence_regions=licence_regions,
        licence_until=licence_until,
        perceptual_hash=perceptual_hash(picture),
        **{
            trait: row.cells.get(trait, "none" if trait in ("glasses", "head_covering") else "")
            for trait in TRAITS
            if trait not in ("presentation", "age_band", "style")
        },
    )
    try:
        check_facts(facts)
    except InputError as error:
        row.refuse("consent_subject" if "consent" in str(error) else "file", str(error).rstrip("."))
        return None
    return facts


def _face_of(
    row: _Row, picture: "Image", said: "Region | None", style: str, finder: "FaceFinder"
) -> "tuple[Region | None, str, dict[str, Any]]":
    """Face region, style and what was found of a picture; a problem of the row where there is no face to be animated.

    A photograph's face is looked for even where somebody says where it is. What is drawn needs no detector where it is
    said; without a style, flat colours tell a drawing.
    """
    import numpy as np

    from models.faces import find_faces, is_drawn, portrait_face

    if row.problems or (row.cells.get("face") and said is None):
        return said, style, {}
    pixels = np.asarray(picture)
    if said is not None and (style == "illustrated" or (not style and is_drawn(pixels, said))):
        return said, "illustrated", {}
    faces = find_faces(finder, pixels)
    try:
        face = portrait_face(finder, pixels, faces, said, least=1 if style == "illustrated" else None)
    except InputError as error:
        if style == "illustrated":
            row.refuse("face", "is missing; say where it is as LEFT TOP RIGHT BOTTOM, fractions of width and height")
        elif not style and said is not None and not faces:
            row.warn(
                "style",
                "no face of a photograph is where face= says: it counts as illustrated, so say style=photo if not",
            )
            return said, "illustrated", {}
        else:
            row.refuse("file", str(error).rstrip("."))
        return None, style, {}
    if style == "illustrated" or (not style and is_drawn(pixels, face.region)):
        return said or face.region, "illustrated", {}
    for warning in face.warnings:
        row.warn("file", warning)
    found = {"points": face.points, "yaw": face.yaw, "score": face.score, "detector": "mtcnn"}
    return face.region, "photo", found


def _consent(row: _Row, purposes: list[str], regions: list[str], languages: list[str]) -> "ConsentFacts | None":
    from catalog.portraits import NO_REAL_PERSON, ConsentFacts
    from catalog.tables import CONSENT_KINDS

    if not any(row.cells.get(column) for column in CONSENT):
        return None
    kind = row.read("consent_kind", _one_of(CONSENT_KINDS), "person")
    subject = row.cells.get("consent_subject") or (NO_REAL_PERSON.subject if kind == "synthetic" else "")
    if not subject:
        row.refuse("consent_subject", "is missing; say whose face it is")
    digest = row.cells.get("consent_document_sha256", "")
    if digest and not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        row.refuse("consent_document_sha256", f"'{digest[:80]}' must be 64 hex digits")
    begins, ends = row.read("consent_from", moment, None), row.read("consent_until", moment, None)
    if ends is not None and ends <= (begins or datetime.now(UTC)):
        row.refuse("consent_until", f"{ends:%Y-%m-%d} is not after its beginning")
    return ConsentFacts(
        subject=subject,
        scope=row.cells.get("consent_scope") or "any use",
        document_uri=row.cells.get("consent_document", ""),
        document_sha256=digest,
        kind=kind,
        valid_from=begins,
        valid_until=ends,
        purposes=purposes,
        regions=regions,
        languages=languages,
    )


def _picture(row: _Row, folder: Path, name: str) -> "Image | None":
    """The picture of a row, upright and without transparency; None when it cannot be one."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not name:
        row.refuse("file", "is missing; name the picture")
        return None
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            row.refuse("file", f"'{name}' is not in {folder}; put the picture beside or below the table")
            return None
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                row.refuse(
                    "file", f"'{name}' has {opened.width} x {opened.height} pixels; make it smaller than 50 megapixels"
                )
                return None
            # Phones keep a smaller copy or a depth map beside a photograph: it does not move for that.
            if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:
                row.refuse("file", f"'{name}' moves; give a still picture")
                return None
            upright = ImageOps.exif_transpose(opened)
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                clear = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
            picture = _in_srgb(upright, opened.info.get("icc_profile"))
    except FileNotFoundError:
        row.refuse("file", f"'{name}' does not exist in {folder}; check the name")
    except (UnidentifiedImageError, Image.DecompressionBombError):
        if _is_heif(path):
            row.refuse("file", f"'{name}' is a HEIC or AVIF picture, which is not read here; save it as JPEG or PNG")
            return None
        row.refuse("file", f"'{name}' is not a picture ({', '.join(SUFFIXES)}); give another file")
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        row.refuse("file", f"'{name}' cannot be read ({reason.rstrip('.')}); give another file")
    else:
        if min(picture.size) < LEAST_SIDE:
            row.refuse(
                "file",
                f"'{name}' has {picture.width} x {picture.height} pixels; at least {LEAST_SIDE} each way are needed",
            )
            return None
        picture.info.clear()  # where and when a photograph was taken is nobody's business
        return picture
    return None


def _in_srgb(picture: "Image", profile: bytes | None) -> "Image":
    """A picture of any mode as RGB of 8 bits, in the colours of sRGB where it says which ones it has."""
    import numpy as np
    from PIL import Image, ImageCms

    if picture.mode.startswith(("I", "F")):  # 16 bits of grey
        levels = np.asarray(picture, np.float64)
        scale = 257.0 if levels.max(initial=0) > 255 else 1.0
        return Image.fromarray((levels / scale).clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            there = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            found = ImageCms.profileToProfile(picture, there, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            found = None  # a profile that is damaged, or of another kind of picture
        if found is not None:
            return found
    return picture.convert("RGB")


def _is_heif(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in (
        b"heic",
        b"heix",
        b"heif",
        b"mif1",
        b"msf1",
        b"hevc",
        b"avif",
        b"avis",
    )


def _compare(
    session: "Session", rows: Sequence[_Row], found: Sequence["PortraitFacts | None"], allow_similar: bool
) -> set[str]:
    """Find duplicates and near-duplicates, in the table and in the catalog; returns the slugs that are there already."""
    from sqlalchemy import select

    from catalog.tables import Portrait

    fill_hashes(session)
    known = session.execute(
        select(Portrait.slug, Portrait.content_sha256, Portrait.perceptual_hash, Portrait.retired_at)
    ).all()
    by_slug = {one.slug: one.content_sha256 for one in known}
    by_content = {one.content_sha256: f"'{one.slug}' of the catalog" for one in known if one.retired_at is None}
    looks = [
        (one.perceptual_hash, f"'{one.slug}' of the catalog")
        for one in known
        if one.perceptual_hash and one.retired_at is None
    ]
    hashes, names = [one for one, _ in looks], [name for _, name in looks]
    present: set[str] = set()
    slugs: dict[str, int] = {}
    for row, facts in zip(rows, found, strict=True):
        if facts is None:
            continue
        if facts.slug in slugs:
            row.refuse("slug", f"'{facts.slug}' is also in row {slugs[facts.slug]}; give each its own")
            continue
        slugs[facts.slug] = row.number
        if by_slug.get(facts.slug) == facts.content_sha256:
            present.add(facts.slug)
            continue
        if facts.slug in by_slug:
            row.refuse("slug", f"'{facts.slug}' is another picture in the catalog; choose another slug")
            continue
        if facts.content_sha256 in by_content:
            row.refuse("file", f"is the same picture as {by_content[facts.content_sha256]}; leave it out")
            continue
        if hashes and not allow_similar:
            apart = distances(facts.perceptual_hash, hashes)
            nearest = int(apart.argmin())
            if apart[nearest] <= ALIKE:
                row.refuse(
                    "file",
                    f"looks like {names[nearest]} ({apart[nearest]} of 256 bits differ); leave it out, or use --allow-similar",
                )
                continue
        by_content[facts.content_sha256] = f"row {row.number}"
        hashes.append(facts.perceptual_hash)
        names.append(f"row {row.number}")
    return present


def fill_hashes(session: "Session") -> int:
    """Look at the portraits that nobody has looked at for their likeness; returns how many that were."""
    from PIL import Image
    from sqlalchemy import select, update

    from catalog.tables import Portrait

    store = workspace.store()
    missing = select(Portrait.id, Portrait.image_key).where(
        Portrait.perceptual_hash == "", Portrait.retired_at.is_(None)
    )
    count = 0
    for portrait_id, key in session.execute(missing).all():
        if not store.has(key):
            continue
        with Image.open(store.fetch(key)) as picture:
            likeness = perceptual_hash(picture)
        session.execute(update(Portrait).where(Portrait.id == portrait_id).values(perceptual_hash=likeness))
        count += 1
    return count


def _keep(session: "Session", wanted: Sequence["PortraitFacts"], pictures: Path) -> None:
    """Pictures and thumbnails first: a row of the catalog is never without them."""
    from catalog.portraits import add_portrait

    store = workspace.store()
    for facts in wanted:
        picture = pictures / f"{facts.content_sha256}.png"
        if not store.has(facts.image_key):
            store.put_file(picture, facts.image_key)
        if not store.has(thumbnail_key(facts.content_sha256)):
            store_thumbnail(store, facts.content_sha256, picture.read_bytes())
    for facts in wanted:
        add_portrait(session, facts)


def moment(text: str) -> datetime:
    """A date or a moment in ISO 8601; without a time zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date such as 2026-01-31 or 2026-01-31T18:00+01:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _face(text: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in re.split(r"[\s,;]+", text.strip()))
    except ValueError:
        raise ValueError("must be four numbers: LEFT TOP RIGHT BOTTOM") from None
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("must be fractions from 0 to 1, left before right and top before bottom")
    return left, top, right, bottom


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return text

    return parse


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;|]+", text) if word]


def _slug_of(stem: str) -> str:
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
