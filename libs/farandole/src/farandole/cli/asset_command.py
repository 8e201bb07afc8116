"""`farandole asset`: content into the store, and out of it."""

import os
import shutil
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated

import typer

from farandole.assets.open import open_assets
from farandole.cli.options import ConfigOption, JsonOption, settings
from farandole.cli.say import emit, line
from farandole.events.errors import BadInput
from farandole.log.ports import AssetStore

AssetsOption = Annotated[
    str | None,
    typer.Option("--assets", metavar="FOLDER|URL", help="The asset store: a folder, or such as s3://bucket/prefix."),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    asset = typer.Typer(help="The asset store: put a file, get it back.", no_args_is_help=True)
    asset.command("put")(put)
    asset.command("get")(get)
    app.add_typer(asset, name="asset")


def put(
    file: Annotated[Path, typer.Argument(help="A regular file.")],
    media_type: Annotated[str, typer.Option(help="What it is, such as image/tiff.")] = "application/octet-stream",
    as_json: JsonOption = False,
    assets: AssetsOption = None,
    config: ConfigOption = None,
) -> None:
    """Store a file's content; prints the name by which events may refer to it."""
    asset = _store(assets, config).put(file, media_type)
    emit(asset.model_dump(mode="json")) if as_json else line(asset.uri)


def get(
    uri: Annotated[str, typer.Argument(help="asset:sha256/…")],
    out: Annotated[
        Path | None, typer.Argument(help="Where to copy it; without, the verified file's path is printed.")
    ] = None,
    assets: AssetsOption = None,
    config: ConfigOption = None,
) -> None:
    """Get content by its name, verified."""
    path = _store(assets, config).path(uri)
    if out is None:
        line(path)
    else:
        _copy(path, out / path.name if out.is_dir() else out)


def _store(assets: str | None, config: Path | None) -> AssetStore:
    return open_assets(settings(config, assets=assets).config.where_assets_lie)


def _copy(path: Path, out: Path) -> None:
    """The copy appears whole or not at all; it can be written, unlike what the store keeps."""
    try:
        fd, name = mkstemp(dir=out.parent, prefix=f".{out.name[:100]}.")
        os.close(fd)
        try:
            shutil.copyfile(path, name)
            os.replace(name, out)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from error
