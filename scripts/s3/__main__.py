"""`make s3`: runs an S3 server in the foreground until Ctrl-C, and says how to use it.

    python -m scripts.s3

Exit codes: 0 after Ctrl-C; 1 where it ended or did not answer; 78 where none is to be had.
"""

import sys
import time

from farandole.cli.codes import Code
from scripts.s3.errors import NoS3, S3Failed
from scripts.s3.find import S3, s3_server


def main() -> int:
    """Run it; the exit code."""
    print("starting; the first time Maven fetches the server", flush=True)
    try:
        with s3_server(origins=("java",)) as found:
            _announce(found)
            while found.server is not None and found.server.pid is not None:
                time.sleep(1)
            raise S3Failed("the server has ended" + ("" if found.server is None else f":\n{found.server.tail()}"))
    except KeyboardInterrupt:
        print("ended")
    except (NoS3, S3Failed) as error:
        print(f"s3: {error}", file=sys.stderr)
        return Code.REFUSED if isinstance(error, NoS3) else Code.FAULT
    return Code.DONE


def _announce(found: S3) -> None:
    print(f"S3 server: {found.endpoint}, bucket {found.bucket}")
    print("for farandole, in another terminal:")
    for name, value in {"FARANDOLE_ASSETS": f"s3://{found.bucket}/demo", **found.environment()}.items():
        print(f"  export {name}={value}")
    print("Ctrl-C ends it, with all that it holds", flush=True)


if __name__ == "__main__":
    sys.exit(main())
