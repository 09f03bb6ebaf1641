"""Splits into train, val and test, 80/10/10 by group, so that a prompt or burst is never in two splits."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def assign_splits(groups: Sequence[str], strata: Sequence[str], seed: int = 0) -> list[str]:
    """The split of each image, from its group and its stratum (source).

    Groups are assigned in a seeded order, large ones first; each goes to the split with the strongest claim in
    the group's stratum by the Webster-Sainte-Lague method of apportionment, so every source is divided 80/10/10
    as closely as its groups allow. A stratum with a single group goes to train.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    filled: dict[str, Counter[str]] = defaultdict(Counter)
    splits = [""] * len(groups)
    for group in sorted(members, key=lambda name: (-len(members[name]), _shuffle_key(name, seed))):
        taken = filled[Counter(strata[i] for i in members[group]).most_common(1)[0][0]]
        half = len(members[group]) / 2
        split = max(SHARES, key=lambda name: SHARES[name] / (taken[name] + half))
        taken[split] += len(members[group])
        for i in members[group]:
            splits[i] = split
    return splits


def _shuffle_key(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
