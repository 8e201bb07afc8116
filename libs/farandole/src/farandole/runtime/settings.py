"""`Settings`: what users' services are configured with, from the environment or from files that it names."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from farandole.events.errors import ConfigError
from farandole.files import read_secret


class Settings(BaseSettings):
    """Base of a service's settings: `class Sensor(Settings, env_prefix="SENSOR_")`.

    Field `token` is read from `SENSOR_TOKEN`, or from the file that `SENSOR_TOKEN_FILE` names (its content
    without the last line's end), as container platforms hand out secrets; never from both. Declare secrets as
    `pydantic.SecretStr`. A step asks for them by annotation; a service does not start while one is missing.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments (in tests) over the environment over files."""
        return init_settings, env_settings, FileSource(settings_cls)


class FileSource(PydanticBaseSettingsSource):
    """`<PREFIX><FIELD>_FILE`: the field's value stands in the file of that name. Raises ConfigError."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text in the field's file, or None where no variable names one."""
        plain = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        variable = f"{plain}_FILE"
        environment = {name.upper(): text for name, text in os.environ.items()}
        path = environment.get(variable)
        if path is None or f"{field_name}_file" in self.settings_cls.model_fields:
            return None, field_name, False
        if plain in environment:
            raise ConfigError(f"{plain} and {variable} are both set; unset one of them")
        return read_secret(Path(path), variable), field_name, self.field_is_complex(field)

    def __call__(self) -> dict[str, Any]:
        """The fields that have a file."""
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            text, key, is_complex = self.get_field_value(field, name)
            if text is not None:
                found[key] = self.prepare_field_value(name, field, text, is_complex)
        return found
