"""python -m bench: all measurements that need no data set; each part also runs on its own."""

from __future__ import annotations

from bench import growth, provenance, speed

if __name__ == "__main__":
    speed.main()
    growth.main()
    provenance.main()
