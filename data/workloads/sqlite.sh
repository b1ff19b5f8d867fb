#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# TITLE: boot, then sqlite3 fills a table with 20,000 rows and builds an index on it
# GUEST: full
# VCPUS: 1
# MEMORY: 512
# TIMEOUT: 600
# PACKAGES: sqlite3

set -e
cd /tmp
rows=$(sqlite3 bench.db <<'END'
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, value INTEGER);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO item SELECT i, 'item ' || (i * 7919 % 20011), i * i % 10007 FROM n;
CREATE INDEX item_name ON item (name);
SELECT count(*) FROM item WHERE name >= 'item ';
END
)
[ "$rows" = 20000 ]
