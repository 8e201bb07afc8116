"""What is declared of each sensor: band roles, calibration, attribution. It reads no raster.

The packaged table is ``sensors.toml``; a file of the user's own may add sensors or replace them. Only this
service knows the table: the others are told by events what they need of it.
"""

import tomllib
from datetime import UTC, date, datetime, time
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

Role = Literal["blue", "green", "red", "nir", "swir", "cirrus"]

ROLES: tuple[Role, ...] = ("blue", "green", "red", "nir", "swir", "cirrus")
"""Every role that the chain needs a band for, in the order in which the bands are stacked."""


class Calibration(BaseModel):
    """How counts become reflectance: ``(scale * DN + offset) / sin(sun_elevation)``.

    ``sun_elevation`` is in degrees; None means that no division is due, or that it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float
    offset: float
    nodata: int
    sun_elevation: float | None


class Sensor(BaseModel):
    """One sensor's declaration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    bands: dict[Role, str]
    dtype: Literal["uint8", "uint16", "int16"]
    nodata: int
    scale: float = Field(gt=0)
    offset: float
    sun_normalised: bool
    operational_since: date
    attribution: str
    licence_url: str

    @field_validator("bands")
    @classmethod
    def _every_role_once(cls, bands: dict[Role, str]) -> dict[Role, str]:
        if missing := [role for role in ROLES if role not in bands]:
            raise ValueError(f"no band for {', '.join(missing)}")
        if len(set(bands.values())) != len(bands):
            raise ValueError("one band plays two roles")
        return {role: bands[role] for role in ROLES}

    @field_validator("attribution")
    @classmethod
    def _only_the_year_is_filled_in(cls, attribution: str) -> str:
        try:
            attribution.format(year=2000)
        except (KeyError, IndexError) as error:
            raise ValueError("may hold {year}, and no other field in braces") from error
        return attribution

    def calibration(self, sun_elevation: float | None) -> Calibration:
        """The coefficients for a scene whose sun stood at ``sun_elevation`` degrees, or None if not known.

        Raises ValueError where the elevation is not within (0, 90]. A sensor whose counts are already
        normalised by the sun's angle (Sentinel-2) ignores it.
        """
        if sun_elevation is not None and not 0 < sun_elevation <= 90:
            raise ValueError(f"a sun elevation of {sun_elevation} degrees is not within (0, 90]")
        elevation = None if self.sun_normalised else sun_elevation
        return Calibration(scale=self.scale, offset=self.offset, nodata=self.nodata, sun_elevation=elevation)

    def attribution_for(self, acquired: datetime | None) -> str:
        """The sentence that the data's licence asks for; without a known time it names no year."""
        return self.attribution.format(year="" if acquired is None else acquired.year).strip()

    def not_before(self) -> datetime:
        """The earliest time at which the sensor can have taken anything: bounds an unknown date."""
        return datetime.combine(self.operational_since, time.min, tzinfo=UTC)


_TABLE = TypeAdapter(dict[str, Sensor])


def load_sensors(extra: Path | None = None) -> dict[str, Sensor]:
    """Return every declared sensor by name; those of the TOML file ``extra`` go before the packaged ones.

    Raises OSError or ValueError (pydantic's and tomllib's are) for a file that cannot be read or is wrong.
    """
    packaged = resources.files("ingest").joinpath("sensors.toml").read_text(encoding="utf-8")
    table = tomllib.loads(packaged)
    if extra is not None:
        table |= tomllib.loads(extra.read_text(encoding="utf-8"))
    return _TABLE.validate_python(table)
