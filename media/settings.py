"""Settings, read once from the environment (prefix `PORTRAYAL_`)."""

from functools import cached_property
from pathlib import Path

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
    renderers: int | None = Field(default=None, ge=0, le=64)
    """Renderer processes; one per GPU, or one per processor (8 at most), when not set. 0: render in the main process."""
    render_deployment: str | None = None
    """Prefect deployment that renders, such as `render/render`; clips are rendered on this machine when not set."""
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
