"""Whether a product's folder holds what it promises: a valid COG, a picture, and a valid STAC item.

    python -m scripts.demo.check FOLDER

One problem a line, and exit code 1 where there is one.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from PIL import Image
from rasterio.errors import RasterioError

from catalogue.check import find_flaws
from cog.write import NotCloudOptimised, check_cog
from scripts.demo.files import FILES, ITEM, PRODUCT, QUICKLOOK

_SHA256_MULTIHASH = "1220"


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with a product, a sentence each."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        yield f"{', '.join(missing)}: not there"
        return
    try:
        check_cog(folder / PRODUCT)
    except (NotCloudOptimised, RasterioError) as error:
        yield f"{PRODUCT}: {error}"
    try:
        with Image.open(folder / QUICKLOOK) as picture:
            picture.verify()
    except (OSError, SyntaxError) as error:  # what Pillow raises for a broken PNG
        yield f"{QUICKLOOK}: {error}"
    yield from _item_problems(folder)


def _item_problems(folder: Path) -> Iterator[str]:
    try:
        item = json.loads((folder / ITEM).read_bytes())
    except ValueError as error:
        yield f"{ITEM}: {error}"
        return
    flaws = find_flaws(item)
    yield from (f"{ITEM}: {flaw}" for flaw in flaws)
    for name, asset in {} if flaws else item["assets"].items():
        with (folder / asset["href"]).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if asset.get("file:checksum") != _SHA256_MULTIHASH + digest:
            yield f"{ITEM}: the checksum of asset {name} is not that of {asset['href']}"


def main() -> int:
    """Check the folder that the command line names."""
    # rasterio 1.4 multiplies affine matrices in the way that affine 3 announces to retire.
    warnings.filterwarnings("ignore", "Use `@` matmul", PendingDeprecationWarning)
    found = list(problems(Path(sys.argv[1])))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
