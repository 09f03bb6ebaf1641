"""Where pictures come from: a path, folder, glob, list, standard input, base64 -> Source."""

from .expand import expand, from_list, promises_a_picture
from .read import display_name, from_base64, from_stream, read, to_source

__all__ = [
    "display_name",
    "expand",
    "from_base64",
    "from_list",
    "from_stream",
    "promises_a_picture",
    "read",
    "to_source",
]
