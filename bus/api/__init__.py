"""The door for Python programs: one identity that publishes and reads, and its double for tests.

```python
async with bus.connect("xa-csirt") as me:
    await me.publish(draft)
    async for seen in me.watch():
        print(seen.bulletin.headline)
```
"""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.api import opening
    from bus.api.connecting import connect
    from bus.api.double import Double
    from bus.api.identity import Identity
    from bus.api.participant import Life, Participant, Seen
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Double",
    "Identity",
    "Life",
    "Participant",
    "Seen",
    "connect",
    "opening",
]
