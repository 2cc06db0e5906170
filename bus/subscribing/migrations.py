"""The steps from earlier versions of a reader's tables to the present one (`bus.storage.layout`)."""

from __future__ import annotations

from bus.subscribing.bodies import TABLES, UNTIL

# From version 2, which had a row of `links` for each place and one of `admitted` for each admitted bulletin. Signatures
# are copied whole: SQL cannot tell which openings repeat.
TO_BODIES = f"""{TABLES}
INSERT OR IGNORE INTO texts (text) SELECT DISTINCT channel FROM links;
INSERT OR IGNORE INTO texts (text) SELECT DISTINCT kids FROM links;
INSERT OR IGNORE INTO texts (text) SELECT DISTINCT subject FROM admitted;
INSERT OR IGNORE INTO texts (text) SELECT DISTINCT kid FROM admitted;
INSERT OR IGNORE INTO texts (text) SELECT DISTINCT stream FROM admitted WHERE stream IS NOT NULL;
INSERT OR IGNORE INTO texts (text) VALUES ('');
INSERT INTO places SELECT c.n, l.seq, a.row, l.digest, l.prev, l.id, l.reason, k.n, l.received_at, l.issued, l.believed
FROM links l JOIN texts c ON c.text = l.channel JOIN texts k ON k.text = l.kids LEFT JOIN admitted a ON a.digest = l.digest
ORDER BY c.n, l.seq;
INSERT INTO bodies SELECT a.row, c.n, a.seq, a.admitted_at, instr(a.channel, '/system.') > 0, {UNTIL}, s.n, k.n, a.labels, a.trust,
a.endorsers, (SELECT n FROM texts WHERE text = a.stream), a.stream_seq, a.tries, a.retry_at, a.problem, o.n,
a.signature, a.payload
FROM admitted a JOIN texts c ON c.text = a.channel JOIN texts s ON s.text = a.subject JOIN texts k ON k.text = a.kid
JOIN texts o ON o.text = '' ORDER BY a.row;
DELETE FROM sqlite_sequence WHERE name = 'bodies';
INSERT INTO sqlite_sequence SELECT 'bodies', seq FROM sqlite_sequence WHERE name = 'admitted';
PRAGMA secure_delete = ON;
DROP TABLE admitted;
DROP TABLE links
"""
# From version 3, in which `retention_days` had no effect.
TO_LAST_DAYS = (
    f"UPDATE bodies SET until = {UNTIL} WHERE until IS NOT {UNTIL};\nDROP INDEX IF EXISTS quarantine_personal"
)
