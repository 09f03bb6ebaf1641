"""Turns inputs into Sources: paths, folders, globs, lists, standard input, base64, URLs."""

from .expand import expand, from_list, has_picture_suffix, has_pictures_below, may_open
from .read import Picture, display_name, from_base64, from_stream, is_one, name_of, read, to_source
from .web import fetch, is_web_address

__all__ = [
    "Picture",
    "display_name",
    "expand",
    "fetch",
    "from_base64",
    "from_list",
    "from_stream",
    "has_picture_suffix",
    "has_pictures_below",
    "is_one",
    "is_web_address",
    "may_open",
    "name_of",
    "read",
    "to_source",
]
