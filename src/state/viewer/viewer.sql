-- The state as one viewer may see it: temporary tables and views that hide those of the file by their names.

CREATE TEMP TABLE seen_page (page TEXT PRIMARY KEY) WITHOUT ROWID;

-- What stands on a page. `+` keeps SQLite from walking through all pages for each row that it looks for.
CREATE TEMP VIEW page AS SELECT * FROM main.page WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW raw_page AS SELECT * FROM main.raw_page WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW cut AS SELECT * FROM main.cut WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW chunk AS SELECT * FROM main.chunk WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW episode AS SELECT * FROM main.episode WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW support AS SELECT * FROM main.support WHERE +page IN (SELECT page FROM temp.seen_page);
CREATE TEMP VIEW mention AS SELECT * FROM main.mention
    WHERE EXISTS (SELECT 1 FROM temp.chunk c WHERE c.chunk = mention.chunk);
CREATE TEMP VIEW answer AS SELECT * FROM main.answer
    WHERE EXISTS (SELECT 1 FROM temp.chunk c WHERE c.chunk = answer.chunk);
-- Nodes of which everything that speaks of them may be seen, and spoke of them as it does now.
CREATE TEMP VIEW whole_node AS SELECT node FROM main.node
    WHERE unsaid = 0 AND EXISTS (SELECT 1 FROM main.mention m WHERE m.node = node.node)
    AND NOT EXISTS (SELECT 1 FROM main.mention m JOIN main.chunk c USING (chunk)
                    WHERE m.node = node.node AND c.page NOT IN (SELECT page FROM temp.seen_page));
-- A decision stands on its chunk, or on two names that may both be seen. One that somebody has made who looked at what
-- speaks of them (it follows from no names) is left out by `part.rs`, unless all of that may be seen.
CREATE TEMP VIEW decision AS SELECT * FROM main.decision
    WHERE CASE length(decision.chunk) WHEN 0
        THEN EXISTS (SELECT 1 FROM temp.mention m WHERE m.node = decision.a)
             AND EXISTS (SELECT 1 FROM temp.mention m WHERE m.node = decision.b)
        ELSE EXISTS (SELECT 1 FROM temp.chunk c WHERE c.chunk = decision.chunk) END;
-- What a user said of two names stands on no page: it counts for whoever may see both.
CREATE TEMP VIEW ruling AS SELECT * FROM main.ruling
    WHERE EXISTS (SELECT 1 FROM temp.mention m WHERE m.node = ruling.a)
      AND EXISTS (SELECT 1 FROM temp.mention m WHERE m.node = ruling.b);
-- Whoever judged two facts was shown what speaks for them, and for those that say the same.
CREATE TEMP VIEW seen_judgement AS SELECT * FROM main.judgement WHERE NOT EXISTS (
    SELECT 1 FROM main.fact shown
    JOIN main.fact f ON f.fact = coalesce(shown.folded_into, shown.fact)
                     OR f.folded_into = coalesce(shown.folded_into, shown.fact)
    JOIN main.support s ON s.fact = f.fact
    WHERE shown.fact IN (judgement.a, judgement.b) AND s.page NOT IN (SELECT page FROM temp.seen_page));
CREATE TEMP VIEW vector_of AS SELECT * FROM main.vector_of
    WHERE (kind = 'chunk' AND EXISTS (SELECT 1 FROM temp.chunk c WHERE c.row = vector_of.row))
       OR (kind = 'fact' AND EXISTS (SELECT 1 FROM main.fact f JOIN temp.support s USING (fact) WHERE f.row = vector_of.row));
-- Not for viewers at all.
CREATE TEMP VIEW candidate AS SELECT * FROM main.candidate WHERE 0;
CREATE TEMP VIEW name_band AS SELECT * FROM main.name_band WHERE 0;
CREATE TEMP VIEW pack AS SELECT * FROM main.pack WHERE 0;
CREATE TEMP VIEW finding AS SELECT * FROM main.finding WHERE 0;
CREATE TEMP VIEW parked AS SELECT * FROM main.parked WHERE 0;
CREATE TEMP VIEW skipped AS SELECT * FROM main.skipped WHERE 0;
CREATE TEMP VIEW community AS SELECT * FROM main.community WHERE 0;
CREATE TEMP VIEW community_member AS SELECT * FROM main.community_member WHERE 0;

-- What is derived from pages, derived again for what was asked about.
CREATE TEMP TABLE node (
    row INTEGER PRIMARY KEY,
    node BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    normal TEXT NOT NULL,
    kind TEXT NOT NULL,
    space TEXT,
    key TEXT,
    entity BLOB,
    changed_seq INTEGER NOT NULL
);
CREATE INDEX temp.viewed_node_entity ON node (entity);
CREATE TEMP TABLE entity (
    entity BLOB PRIMARY KEY,
    named TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    changed_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TEMP TABLE fact (
    row INTEGER PRIMARY KEY,
    fact BLOB NOT NULL UNIQUE,
    subject BLOB NOT NULL,
    relation TEXT NOT NULL,
    object BLOB,
    value TEXT,
    run INTEGER NOT NULL,
    extractor TEXT NOT NULL,
    folded_into BLOB,
    valid_at TEXT,
    invalid_at TEXT,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    withdrawn_at TEXT,
    closed_by BLOB,
    created_at TEXT,
    expired_at TEXT,
    changed_seq INTEGER NOT NULL
);
CREATE INDEX temp.viewed_fact_subject ON fact (subject);
CREATE INDEX temp.viewed_fact_object ON fact (object);
CREATE INDEX temp.viewed_fact_folded ON fact (folded_into) WHERE folded_into IS NOT NULL;
CREATE TEMP TABLE spell (
    fact BLOB NOT NULL,
    number INTEGER NOT NULL,
    valid_at TEXT,
    invalid_at TEXT,
    closed_by BLOB,
    PRIMARY KEY (fact, number)
) WITHOUT ROWID;
CREATE TEMP TABLE judgement (
    a BLOB NOT NULL,
    b BLOB NOT NULL,
    likeness TEXT NOT NULL,
    why TEXT NOT NULL,
    stands INTEGER NOT NULL, -- among what the viewer may see
    PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX temp.viewed_judgement_b ON judgement (b);
CREATE TEMP TABLE alike (a BLOB NOT NULL, b BLOB NOT NULL, score REAL NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE VIRTUAL TABLE temp.node_text USING fts5 (name, content = '', contentless_delete = 1, tokenize = 'porter unicode61');
CREATE VIRTUAL TABLE temp.fact_text USING fts5 (statement, sentence, card, content = '', contentless_delete = 1, tokenize = 'porter unicode61');
