"""What differs from one deployment to the next: environment variables that begin with ``SERVICE_``."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """A wrong value ends the service when it starts, with a message that says which."""

    model_config = SettingsConfigDict(env_prefix="service_")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    database: str = "postgresql://postgres@127.0.0.1:5432/postgres"
    database_connections: PositiveInt = 10
    database_timeout: PositiveFloat = 5
    cache: str = "redis://127.0.0.1:6379"
    cache_connections: PositiveInt = 10
    cache_timeout: PositiveFloat = 0.5
    cache_seconds: PositiveInt = 60
    shutdown_timeout: PositiveInt = 10
