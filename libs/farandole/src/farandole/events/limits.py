"""How large the parts of a record may be; the codec refuses more, whoever wrote it."""

HEADER_COUNT_LIMIT = 128
HEADER_BYTES_LIMIT = 32 * 1024  # all headers of a record together
TEXT_LIMIT = 1024  # characters of an id, source, key or other attribute that we read
VALUE_LIMIT = 1024 * 1024  # bytes of data; larger content belongs into an asset
