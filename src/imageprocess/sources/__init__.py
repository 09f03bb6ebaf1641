"""Where pictures come from: a path, folder, glob, list, standard input, base64 -> Source."""

from .expand import expand, from_list, may_open, promises_a_picture
from .read import Picture, display_name, from_base64, from_stream, is_one, name_of, read, to_source

__all__ = [
    "Picture",
    "display_name",
    "expand",
    "from_base64",
    "from_list",
    "from_stream",
    "is_one",
    "may_open",
    "name_of",
    "promises_a_picture",
    "read",
    "to_source",
]
