"""Files that somebody changed by accident."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutated(
    source: random.Random, content: bytes, tokens: Sequence[bytes], lengths: Sequence[int]
) -> bytes:
    """Return a file with one to three changes: bytes, pieces of so many bytes, tokens, lines."""
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(content))
        to = min(len(content), at + source.choice(lengths))
        lines = content.split(b"\n")
        match source.randrange(6):
            case 0:
                content = content[:at] + bytes([source.randrange(256)]) + content[at + 1 :]
            case 1:
                content = content[:at] + content[to:]
            case 2:
                content = content[:at] + source.choice(tokens) + content[at:]
            case 3:
                content = content[:at] + source.choice(tokens) + content[to:]
            case 4:
                source.shuffle(lines)
                content = b"\n".join(lines)
            case _:
                content = b"\n".join([*lines, source.choice(lines)])
        content = content or b" "
    return content
