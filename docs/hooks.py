"""mkdocs hook: links to files of the repository outside docs/ are checked, and shown as paths.

The site does not know where the repository is hosted, so such a file cannot be a link there.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(?:#[^)]*)?\)")
_LOG = logging.getLogger("mkdocs.hooks.repository")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    docs = Path(config["docs_dir"])
    folder = (docs / page.file.src_path).parent

    def shown(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if target.is_relative_to(docs):
            return match[0]
        if not target.exists():
            _LOG.warning("%s links to %s, which does not exist", page.file.src_path, match[2])
        return f"{match[1]} (`{target.relative_to(docs.parent)}`)"

    return _LINK.sub(shown, markdown)
