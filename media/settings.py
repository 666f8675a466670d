"""Settings, read once from the environment (prefix `PORTRAYAL_`)."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are kept and how they are reached. Every field is an environment variable `PORTRAYAL_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PORTRAYAL_", frozen=True, extra="ignore")

    home: Path = Path(".portrayal")
    """Everything that the embedded mode writes."""
    database_url: str | None = None
    """SQLAlchemy URL of the catalog; SQLite in `home` when not set."""
    store_url: str | None = None
    """fsspec URL of the artifact store; a folder in `home` when not set."""
    store_cache_gb: float = Field(default=20.0, gt=0)
    """How much of a store that is elsewhere is kept on this machine, in GB, in `home/cache`."""
    store_patience: float = Field(default=60.0, gt=0)
    """Seconds for which a store that does not answer is asked again."""
    renderers: int | None = Field(default=None, ge=0, le=64)
    """Renderer processes; one per GPU, or one per processor (8 at most), when not set. 0: render in the main process."""
    devices: str | None = None
    """Devices to render on, separated by commas: GPUs as CUDA_VISIBLE_DEVICES names them, `cpu` for a share of the processors;
    each has one renderer at a time. All GPUs, or one `cpu` per processor (8 at most), when not set."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What the weights that animate photographs are rounded to; another precision gives other frames and other keys. `auto`:
    bfloat16 or float16 where this machine has GPUs, float32 where it has none and that fits."""
    renderer_timeout: float = Field(default=300.0, gt=0)
    """Seconds that a renderer may be without a finished frame, besides ten times what its whole segment should take."""
    renderer_memory_mb: float | None = Field(default=None, gt=0)
    """Resident memory (MB, 10^6 bytes) above which a renderer is replaced between two segments; never when not set."""
    priority: Literal["urgent", "normal", "batch"] = "normal"
    """Whose segments come first, on the pool that renders and among commands that share `home`."""
    render_deployment: str | None = None
    """Prefect deployment that renders, such as `render/render`; clips are rendered on this machine when not set."""
    chunk_seconds: float = Field(default=400.0, gt=0)
    """Seconds of rendering that are sent to it at once: much more than a worker takes to load weights, as little as urgent work
    can wait and a lost worker may cost."""
    chunks_in_flight: int = Field(default=8, ge=1, le=1000)
    """Chunks of segments that are with `render_deployment` at once, at most."""
    reports_dir: Path | None = None
    """Folder for the daily report; it goes into the artifact store, under `reports/`, when not set."""
    chatterbox_python: Path | None = None
    """The python of the environment that has chatterbox-tts; see docs/synthesis-workers.md."""
    synthesis_timeout: float = Field(default=600.0, gt=0)
    """Seconds that a synthesis worker may be silent while it speaks, before it is taken for dead."""
    hf_token: SecretStr | None = None
    """Hugging Face token, for models that ask for one."""
    translation_url: str | None = None
    """Base URL of an OpenAI-compatible server that translates, such as `http://localhost:8000/v1`."""
    translation_model: str | None = None
    """Name of the server's model."""
    translation_key: SecretStr | None = None
    """Key of the server, if it asks for one."""
    webhook_secret: SecretStr | None = None
    """What webhooks of campaigns are signed with; the receiver knows it, too."""
    webhook_allow_private: bool = False
    """Whether webhooks may go to private addresses and unencrypted ones: for a receiver in your own network."""

    @cached_property
    def catalog_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home.resolve() / 'catalog.db'}"

    @cached_property
    def artifacts_url(self) -> str:
        return self.store_url or str(self.home.resolve() / "artifacts")

    @property
    def models_dir(self) -> Path:
        """Downloaded and converted weights, one folder a model."""
        return self.home.resolve() / "models"
