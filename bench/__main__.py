"""python -m bench: everything that can be measured without a data set; each part runs on its own as well."""

from __future__ import annotations

from bench import growth, provenance, speed

if __name__ == "__main__":
    speed.main()
    growth.main()
    provenance.main()
