"""Files at a URL (`s3://bucket/folder`): whole uploads, checked downloads, patience with networks, one sentence for a failure.

On S3, the SHA-256 of every file is kept with it as metadata (`sha256`) and compared whenever it is read. Other places
that fsspec knows work, too, without that: they have no common way to keep it.

Every request to S3 has a time limit and is made again, at growing intervals, until PORTRAYAL_STORE_PATIENCE is over.
"""

import asyncio
import errno
import hashlib
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from upath import UPath

from media.errors import InputError, StorageError

PART_BYTES = 16 << 20
"""Larger files are uploaded in parts of this size, or larger ones where S3's limit of 10,000 parts asks for it."""
PARTS_AT_ONCE = 4
SLOWEST = 64 << 10
"""Bytes a second: a transfer that is slower, once patience is over, counts as stuck."""
READ_SECONDS = 20.0
"""Without a byte for so long, a connection counts as dead."""
REFUSED_SECONDS = 30.0
"""After patience was over once, nobody waits again for so long: a thousand files must not wait a minute each."""
BUCKET_SECONDS = 10.0
"""How long it is believed that a bucket is still there, when files in it are not."""

_S3 = ("s3", "s3a")
_DIGEST = "sha256"
_WHOLE_UPLOADS = {*_S3, "gs", "gcs", "az", "abfs", "abfss", "adl", "memory", "oci", "r2"}
"""What is uploaded there becomes visible only once it is complete; elsewhere it is uploaded aside and renamed."""

_WORTH_TRYING = {
    *("InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "OperationAborted", "BadDigest"),
    *("Throttling", "ThrottlingException", "RequestLimitExceeded", "IncompleteBody", "500", "502", "503", "504", "429"),
    *("TooManyRequests", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "RequestTimeoutException"),
}
_NO_BUCKET = {"NoSuchBucket"}
_LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_log = logging.getLogger("portrayal.store")


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a file without reading it."""

    size: int
    sha256: str | None
    """None where none is kept with it."""
    tag: str | None = None
    """Another one when the file was replaced."""


class Remote:
    """The files below a URL.

    Args:
        root: the URL; not a local folder.
        patience: seconds for which a place that does not answer is asked again.

    Every method raises InputError where the URL, the bucket or the credentials are wrong, and StorageError where the
    place does not answer, or not sensibly.
    """

    def __init__(self, root: UPath, patience: float) -> None:
        self.root = root
        self._patience = patience
        self._is_s3 = root.protocol in _S3
        self._bucket, _, self._prefix = root.path.strip("/").partition("/")
        self._bucket_seen = 0.0
        self._gone_at: float | None = None

    def check(self) -> None:
        """Ask once whether it is there."""
        if self._is_s3:
            self._ask(self._require_bucket(), "use the bucket")

    def find(self, name: str) -> Stored | None:
        """What is known of a file; None if it is not there."""
        if self._is_s3:
            return self._ask(self._find(name), f"look for {name}")
        return self._plainly(f"look for {name}", lambda: self._plain_find(name))

    def download(self, name: str, path: Path) -> tuple[Stored, bool] | None:
        """Write a file's bytes to the local `path`; None if it is not there.

        Returns:
            What is known of it, and whether its bytes are those that were stored.
        """
        if not self._is_s3:
            return self._plainly(f"read {name}", lambda: self._plain_download(name, path))
        found = self._ask(self._download(name, path), f"read {name}")
        # A second look, since bytes can also be damaged on their way.
        if found is not None and not found[1]:
            _log.info("%s at %s does not have its checksum; reading it again", name, self.root)
            found = self._ask(self._download(name, path), f"read {name}")
        return found

    def upload(self, path: Path, name: str) -> None:
        """Store a local file, whole or not at all."""
        if self._is_s3:
            self._ask(self._upload(path, name), f"store {name}")
            return
        self._plainly(f"store {name}", lambda: self._plain_upload(path, self.root / name))

    def remove(self, name: str, tag: str | None = None) -> None:
        """Remove a file; with `tag`, only if it has not been replaced since."""
        if self._is_s3:
            self._ask(self._remove(name, tag), f"remove {name}")
            return
        self._plainly(f"remove {name}", lambda: (self.root / name).unlink(missing_ok=True))

    def names(self) -> list[str]:
        """All files below it, by name, in order."""
        if self._is_s3:
            return list(self._ask(self._names(), "list what is there"))
        return list(self._plainly("list what is there", self._plain_names))

    # S3

    def _ask(self, answer: Awaitable[Any], what: str) -> Any:
        from fsspec.asyn import sync

        async def answered() -> Any:
            return await answer

        filesystem = self._s3()
        try:
            return sync(filesystem.loop, answered)
        except Exception as error:
            raise _explained(error, f"Cannot {what} at {self.root}", self._bucket) from error

    def _s3(self) -> Any:
        return _s3_filesystem(
            os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
            os.environ.get("AWS_ACCESS_KEY_ID"),
            min(READ_SECONDS, self._patience),
        )

    async def _call(self, method: str, **arguments: Any) -> Any:
        limit = 2 * READ_SECONDS + len(arguments.get("Body", b"")) / SLOWEST

        async def attempt() -> Any:
            try:
                return await asyncio.wait_for(self._s3()._call_s3(method, Bucket=self._bucket, **arguments), limit)
            except TimeoutError:
                raise TimeoutError(f"no answer in {limit:.0f} s") from None

        return await self._patiently(attempt)

    async def _patiently(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        began = time.monotonic()
        wait = 0.2
        while True:
            try:
                done = await attempt()
                self._gone_at = None
                return done
            except Exception as error:
                if not _is_worth_trying(error):
                    raise
                now = time.monotonic()
                refused = self._gone_at is not None and now - self._gone_at < REFUSED_SECONDS
                if refused or now + wait - began > self._patience:
                    self._gone_at = self._gone_at if refused else now
                    raise
                _log.info("%s: %s; trying again", self.root, _reason(error))
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, 10.0)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    async def _find(self, name: str) -> Stored | None:
        try:
            head = await self._call("head_object", Key=self._key(name))
        except FileNotFoundError:
            await self._require_bucket()
            return None
        return _stored(head)

    async def _require_bucket(self) -> None:
        """A missing bucket answers as a missing file does, and then nobody should begin to make everything anew."""
        if time.monotonic() - self._bucket_seen > BUCKET_SECONDS:
            await self._call("head_bucket")
            self._bucket_seen = time.monotonic()

    async def _download(self, name: str, path: Path) -> tuple[Stored, bool] | None:
        try:
            return await self._patiently(lambda: self._receive(name, path))
        except FileNotFoundError:
            await self._require_bucket()
            return None

    async def _receive(self, name: str, path: Path) -> tuple[Stored, bool]:
        from botocore.exceptions import FlexibleChecksumError

        began = time.monotonic()
        answer = await self._s3()._call_s3("get_object", Bucket=self._bucket, Key=self._key(name))
        stored, digest, count = _stored(answer), hashlib.sha256(), 0
        async with answer["Body"] as body:
            with path.open("wb") as file:
                try:
                    while block := await body.read(1 << 20):
                        file.write(block)
                        digest.update(block)
                        count += len(block)
                        passed = time.monotonic() - began
                        if passed > self._patience and count < SLOWEST * passed:
                            raise TimeoutError(f"only {count} of {stored.size} bytes came in {passed:.0f} s")
                except FlexibleChecksumError:  # that of S3 itself, where the answer has one
                    return stored, False
        if count != stored.size:
            raise ConnectionResetError(f"only {count} of {stored.size} bytes came")
        return stored, stored.sha256 in (None, digest.hexdigest())

    async def _upload(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            file.seek(0)
            place = {"Key": self._key(name)}
            facts = {"Metadata": {_DIGEST: digest}}
            if size <= PART_BYTES:
                await self._call("put_object", **place, **facts, Body=file.read())
                return
            width = max(PART_BYTES, -(-size // 10_000))
            place["UploadId"] = (await self._call("create_multipart_upload", **place, **facts))["UploadId"]
            try:
                parts: list[dict[str, Any]] = []
                while blocks := [block for _ in range(PARTS_AT_ONCE) if (block := file.read(width))]:
                    numbered = list(enumerate(blocks, len(parts) + 1))
                    answers = await asyncio.gather(
                        *(self._call("upload_part", **place, PartNumber=at, Body=block) for at, block in numbered)
                    )
                    parts += [
                        {"PartNumber": at, "ETag": one["ETag"]} for (at, _), one in zip(numbered, answers, strict=True)
                    ]
                await self._call("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
            except BaseException:
                with suppress(Exception):  # the reason for it is more interesting than that this failed, too
                    await self._s3()._call_s3("abort_multipart_upload", Bucket=self._bucket, **place)
                raise

    async def _remove(self, name: str, tag: str | None) -> None:
        if tag is not None:
            now = await self._find(name)
            if now is None or now.tag != tag:
                return
        await self._call("delete_object", Key=self._key(name))

    async def _names(self) -> list[str]:
        await self._require_bucket()
        folder = self._key("")
        found: list[str] = []
        further: dict[str, str] = {}
        while True:
            page = await self._call("list_objects_v2", Prefix=folder, **further)
            found += [one["Key"].removeprefix(folder) for one in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return found
            further = {"ContinuationToken": page["NextContinuationToken"]}

    # everywhere else

    def _plainly(self, what: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except OSError as error:
            raise _explained(error, f"Cannot {what} at {self.root}", self._bucket) from error

    def _plain_find(self, name: str) -> Stored | None:
        path = self.root / name
        return Stored(int(path.stat().st_size), None) if path.is_file() else None

    def _plain_names(self) -> list[str]:
        if not self.root.exists():
            return []
        return sorted(
            one.path.removeprefix(self.root.path).lstrip("/") for one in self.root.rglob("*") if one.is_file()
        )

    def _plain_download(self, name: str, path: Path) -> tuple[Stored, bool] | None:
        found = self._plain_find(name)
        if found is None:
            return None
        source = self.root / name
        source.fs.get_file(source.path, str(path))
        return found, path.stat().st_size == found.size

    def _plain_upload(self, path: Path, target: UPath) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.protocol in _WHOLE_UPLOADS:
            target.fs.put_file(str(path), target.path)
            return
        aside = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
        target.fs.put_file(str(path), aside.path)
        target.fs.mv(aside.path, target.path)


@lru_cache(maxsize=8)
def _s3_filesystem(endpoint: str | None, access_key: str | None, seconds: float) -> Any:
    """A connection of this process's own. Endpoint and credentials come from the environment, as for any AWS program.

    Args:
        access_key: not used but to tell connections apart.
        seconds: how long to wait for a connection, and for each piece of an answer.
    """
    from s3fs import S3FileSystem

    class OneAttempt(S3FileSystem):
        retries = 1  # `Remote` tries again itself, so that intervals do not multiply

    return OneAttempt(
        endpoint_url=endpoint,
        config_kwargs={
            "connect_timeout": min(5.0, seconds),
            "read_timeout": seconds,
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": 32,
        },
        skip_instance_cache=True,
    )


def _stored(answer: dict[str, Any]) -> Stored:
    return Stored(int(answer["ContentLength"]), answer.get("Metadata", {}).get(_DIGEST), answer.get("ETag"))


def _code(error: BaseException) -> str | None:
    """The code of S3's answer, where there was one."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code"))
    return None


def _is_worth_trying(error: Exception) -> bool:
    """Whether the same request may be answered when it is made again."""
    from aiohttp import ClientError as HttpError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from botocore.parsers import ResponseParserError

    code = _code(error)
    if code is not None:
        return code in _WORTH_TRYING
    broken = (HttpError, HTTPClientError, NoConnection, IncompleteReadError, ResponseParserError)
    return isinstance(error, (*broken, ConnectionError, TimeoutError))


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, TimeoutError):
        error = error.__cause__  # fsspec wraps them, without a word
    said = str(error).strip().splitlines()
    return (said[0] if said else type(error).__name__).rstrip(".")


def _explained(error: Exception, what: str, bucket: str) -> Exception:
    """One sentence for what went wrong, of the kind that says whether to try again."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError

    if isinstance(error, OSError) and _code(error) is None and (error.filename is not None or error.errno in _LOCAL):
        return error  # about a file on this machine
    code, reason = _code(error), _reason(error)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "AWS"
    if code in _NO_BUCKET or (isinstance(error, FileNotFoundError) and code is not None):
        return InputError(f"{what}: there is no bucket '{bucket}' at {endpoint}; create it, or correct the URL.")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return InputError(
            f"{what}: this machine has no credentials for it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or give it a role."
        )
    if isinstance(error, PermissionError) or (isinstance(error, OSError) and code is not None and code.startswith("4")):
        return InputError(
            f"{what}: {endpoint} refuses ({code}: {reason}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, this "
            "machine's clock, and what the account may do in the bucket."
        )
    if _is_worth_trying(error) or isinstance(error, OSError):
        return StorageError(
            f"{what}: {endpoint} does not answer as it should ({reason}); what was finished is kept, "
            "run the same command again when it does."
        )
    if isinstance(error, BotoCoreError | ValueError):
        return InputError(f"{what}: {reason}; check the URL and the AWS_ variables.")
    return error
