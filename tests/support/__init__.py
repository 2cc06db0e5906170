"""What tests share.

Ground:      `places`, `waiting` (`eventually`), `clocks`, `counting` (bounds in steps), `mutations`.
Worlds:      `world` (registry, keys, bulletins), `sealed` (with seal keys), `theft` (a stolen key's two branches).
On a broker: `stage` (broker, publishers, hubs, connections, a federation), `trust` (the registry said on it),
             `watching` (hubs that watch a channel and help each other).
Without one: `publishers`, `hubs` (stores that have taken bulletins in).
Commands:    `office` (a folder and its commands, in processes or in this one), `guides` (follows a guide's lines).
Keys:        `certificates`, `tokens`.
"""
