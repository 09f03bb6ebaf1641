"""Where pictures come from: a path, folder, glob, list, standard input, base64 -> Source."""

from .expand import expand, from_list
from .read import from_base64, from_stream, read, to_source

__all__ = ["expand", "from_base64", "from_list", "from_stream", "read", "to_source"]
