-- The state file: a fold of the journal, one SQLite file. Ids are 16-byte blobs (`hex(id)` shows them); times are UTC
-- text of fixed width. It may be deleted at any time: the journal makes it again.

-- Where this file stands: vault, wiki, applied_seq, ordinal, digest, generation.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a sweep over the wiki. `opened_seq` is the term in which it began.
CREATE TABLE sweep (
    sweep INTEGER PRIMARY KEY,
    opened_seq INTEGER NOT NULL,
    next TEXT,
    complete INTEGER NOT NULL DEFAULT 0,
    planned INTEGER NOT NULL DEFAULT 0,
    incomplete INTEGER NOT NULL DEFAULT 0
);

-- The newest sweep's pages, people and layers, until its worklist is made.
CREATE TABLE listed (
    page TEXT PRIMARY KEY,
    space TEXT NOT NULL,
    version INTEGER,
    history TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    locator TEXT NOT NULL,
    told INTEGER NOT NULL, -- whether the listing says what is above it
    parent TEXT,
    stands_on TEXT
) WITHOUT ROWID;
CREATE TABLE listed_layer (layer TEXT PRIMARY KEY, rule TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE listed_folder (folder TEXT PRIMARY KEY, parent TEXT) WITHOUT ROWID;
CREATE TABLE listed_group (name TEXT PRIMARY KEY, members TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE skipped (what TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

-- What is to be done, in canonical order. `open` counts the versions of the item that are not cut yet.
CREATE TABLE worklist (
    sweep INTEGER NOT NULL,
    position INTEGER NOT NULL,
    page TEXT NOT NULL,
    space TEXT NOT NULL,
    work TEXT NOT NULL,
    current INTEGER,
    fingerprint TEXT,
    open INTEGER NOT NULL,
    PRIMARY KEY (sweep, position)
) WITHOUT ROWID;
CREATE INDEX worklist_page ON worklist (page);
CREATE INDEX worklist_retract ON worklist (sweep, position) WHERE work = 'retract' AND open > 0;

-- Work that waits for an effect, and pages that wait to be cut.
CREATE TABLE owed_fetch (
    page TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    locator TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (page, version)
) WITHOUT ROWID;
CREATE INDEX owed_fetch_order ON owed_fetch (position, version);
CREATE TABLE owed_cut (
    page TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (page, version)
) WITHOUT ROWID;
CREATE INDEX owed_cut_order ON owed_cut (position, version);
CREATE TABLE parked (
    page TEXT NOT NULL,
    version INTEGER NOT NULL,
    why TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (page, version)
) WITHOUT ROWID;

CREATE TABLE epoch (
    epoch INTEGER PRIMARY KEY,
    sweep INTEGER NOT NULL,
    first INTEGER NOT NULL,
    end INTEGER NOT NULL,
    resolver INTEGER NOT NULL,
    extractor TEXT,
    gathered_seq INTEGER NOT NULL,
    resolved_seq INTEGER
);
CREATE INDEX epoch_open ON epoch (epoch) WHERE resolved_seq IS NULL;

-- The wiki as received.
CREATE TABLE space (space TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE person (person TEXT PRIMARY KEY, name TEXT NOT NULL, also TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE audience (layer TEXT PRIMARY KEY, rule TEXT NOT NULL) WITHOUT ROWID;
-- Places in the tree of pages that are no pages.
CREATE TABLE folder (folder TEXT PRIMARY KEY, parent TEXT) WITHOUT ROWID;
-- Groups with their members, and users besides these who may use the wiki; read when `meta` says (`principals_at`).
CREATE TABLE principal_group (name TEXT PRIMARY KEY, members TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE principal_user (person TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE page (
    page TEXT PRIMARY KEY,
    space TEXT NOT NULL,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    parent TEXT,
    link TEXT,
    modified TEXT,
    fingerprint TEXT NOT NULL DEFAULT '',
    gone INTEGER NOT NULL DEFAULT 0,
    stands_on TEXT           -- the page that a comment or an attached file is seen with
) WITHOUT ROWID;
CREATE INDEX page_title ON page (space, title);
CREATE TABLE raw_page (
    page TEXT NOT NULL,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    modified TEXT,
    received TEXT NOT NULL,
    fetched_seq INTEGER NOT NULL,
    PRIMARY KEY (page, version)
);

-- Pages that were erased, and up to which version: what a listing shows of them again is not read.
CREATE TABLE erased (
    page TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    erased_seq INTEGER       -- null until the graph holds nothing of it any more
) WITHOUT ROWID;

-- Pages as chunks.
CREATE TABLE cut (
    page TEXT NOT NULL,
    version INTEGER NOT NULL,
    reader INTEGER NOT NULL,
    chunker INTEGER NOT NULL,
    structure INTEGER NOT NULL,
    chunks BLOB NOT NULL,
    warnings TEXT NOT NULL,
    PRIMARY KEY (page, version)
) WITHOUT ROWID;
CREATE TABLE chunk (
    row INTEGER PRIMARY KEY,
    chunk BLOB NOT NULL UNIQUE,
    page TEXT NOT NULL,
    form TEXT NOT NULL,
    path TEXT NOT NULL,
    text TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    reading TEXT NOT NULL
);
CREATE INDEX chunk_page ON chunk (page);
CREATE INDEX chunk_form ON chunk (form);
CREATE TABLE indexing_checkpoint (
    chunk BLOB PRIMARY KEY,
    answered_seq INTEGER,
    resolved_seq INTEGER
) WITHOUT ROWID;

-- What models are asked and what they answered. `extractor` names extractor, vocabulary and model: debts and answers
-- are kept under it. Answers outlive re-indexing: a chunk that was answered is never asked about again.
CREATE TABLE packing (
    sweep INTEGER NOT NULL,
    first INTEGER NOT NULL,
    extractor TEXT NOT NULL,
    PRIMARY KEY (sweep, first, extractor)
) WITHOUT ROWID;
CREATE TABLE pack (
    row INTEGER PRIMARY KEY,
    pack BLOB NOT NULL UNIQUE,
    extractor TEXT NOT NULL,
    round INTEGER NOT NULL,
    fault TEXT,
    matter TEXT,             -- what it asks about, until its answer is understood
    epoch INTEGER,           -- the epoch that waits for it, when it asks about pairs in doubt
    standing TEXT NOT NULL,  -- owed, asking, batched, answered, understood, passed (nobody waits for it any more)
    call INTEGER,            -- the last call, by its record
    reply TEXT,              -- the answer, until it is understood
    batch INTEGER,           -- the last job of a batch engine that held it, by its record
    position INTEGER,        -- the last item of the worklist that it is about, when it asks about chunks
    faults INTEGER NOT NULL DEFAULT 0, -- calls that failed
    faulted_at TEXT,         -- when the first of them did
    never INTEGER NOT NULL DEFAULT 0,  -- the provider said that it will never answer this, in the present term
    chunks BLOB NOT NULL,    -- the chunks it asks about, 16 bytes each
    sweep INTEGER,           -- the slice it was sorted from; null when it asks again
    first INTEGER
);
CREATE INDEX pack_slice ON pack (extractor, row) WHERE first IS NOT NULL;
CREATE INDEX pack_batch ON pack (batch) WHERE batch IS NOT NULL;
CREATE INDEX pack_standing ON pack (standing, row) WHERE standing <> 'understood';
CREATE INDEX pack_position ON pack (position) WHERE standing <> 'understood';
CREATE INDEX pack_epoch ON pack (epoch) WHERE epoch IS NOT NULL AND standing <> 'understood';
CREATE TABLE owed_answer (
    chunk BLOB NOT NULL,
    extractor TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (chunk, extractor)
) WITHOUT ROWID;
CREATE INDEX owed_answer_position ON owed_answer (extractor, position);
CREATE TABLE answer (
    chunk BLOB NOT NULL,
    extractor TEXT NOT NULL,
    reading TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (chunk, extractor)
) WITHOUT ROWID;
CREATE TABLE refused_chunk (
    chunk BLOB NOT NULL,
    extractor TEXT NOT NULL,
    why TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (chunk, extractor)
) WITHOUT ROWID;
-- Calls by the record that announced them.
CREATE TABLE call (
    seq INTEGER PRIMARY KEY,
    pack BLOB NOT NULL,
    endpoint INTEGER NOT NULL,
    began_at TEXT NOT NULL,
    tokens INTEGER NOT NULL, -- reserved
    chars INTEGER NOT NULL,  -- of the prompt
    ended TEXT,              -- answered, quota, failed, never, unknown (the process died); null while it is under way
    sent_at TEXT,
    ended_at TEXT,
    wait_ms INTEGER,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    batch INTEGER,           -- the job that held it: it counts against no quota of calls
    why TEXT                 -- why it was not answered
);
CREATE INDEX call_began ON call (began_at);
CREATE INDEX call_ended ON call (ended, seq);
CREATE INDEX call_failed ON call (seq) WHERE why IS NOT NULL;
CREATE INDEX call_open ON call (seq) WHERE ended IS NULL;
-- What was found about pairs in doubt, by the texts of the pair and the model; null when nobody would say.
CREATE TABLE finding (
    question BLOB PRIMARY KEY,
    finding TEXT,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX finding_epoch ON finding (epoch);
-- What models tell of entities with many facts, for each audience; `facts` are those it was written from, sorted.
CREATE TABLE summary (
    entity BLOB NOT NULL,
    audience TEXT NOT NULL,
    text TEXT NOT NULL,
    facts BLOB NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (entity, audience)
) WITHOUT ROWID;
-- What models call communities and tell of them, for each audience; `members`, `facts` and `chunks` are what each was
-- made from, 16 bytes each, sorted. `key` is the hash of all that the model was shown.
CREATE TABLE portrait (
    community BLOB NOT NULL,
    audience TEXT NOT NULL,
    key BLOB NOT NULL,
    name TEXT NOT NULL,      -- empty when nobody would give one
    summary TEXT NOT NULL,
    members BLOB NOT NULL,
    facts BLOB NOT NULL,
    chunks BLOB NOT NULL,
    of_members INTEGER NOT NULL, -- of the community then, shown or not
    of_facts INTEGER NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (community, audience, key)
) WITHOUT ROWID;
-- Jobs of providers' batch engines, by the record that announced them.
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    extractor TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    place TEXT NOT NULL,     -- what that endpoint is called
    began_at TEXT NOT NULL,
    packs INTEGER NOT NULL,
    tokens INTEGER NOT NULL, -- that it may take
    answered INTEGER NOT NULL DEFAULT 0,
    name TEXT,               -- the engine's, once it has said so
    ended_at TEXT,
    why TEXT,
    halts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX batch_open ON batch (seq) WHERE ended_at IS NULL;
CREATE TABLE doubt (what TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;

-- The graph.
CREATE TABLE episode (
    chunk BLOB PRIMARY KEY,
    page TEXT NOT NULL,
    valid_at TEXT,
    ended TEXT,
    end_version INTEGER,
    end_at TEXT,
    noticed_at TEXT,
    changed_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX episode_page ON episode (page);
CREATE INDEX episode_live ON episode (chunk) WHERE ended IS NULL;
CREATE TABLE node (
    row INTEGER PRIMARY KEY,
    node BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    normal TEXT NOT NULL,
    kind TEXT NOT NULL,
    space TEXT,
    key TEXT,
    entity BLOB,
    changed_seq INTEGER NOT NULL,
    unsaid INTEGER NOT NULL DEFAULT 0 -- a chunk that spoke of it does not any more: its name may come from there
);
CREATE INDEX node_normal ON node (normal);
CREATE INDEX node_entity ON node (entity);
CREATE INDEX node_person ON node (key) WHERE kind = 'Person';
CREATE TABLE name_band (band INTEGER NOT NULL, node BLOB NOT NULL, PRIMARY KEY (band, node)) WITHOUT ROWID;
CREATE TABLE decision (
    a BLOB NOT NULL,
    b BLOB NOT NULL,
    verdict TEXT NOT NULL,
    why TEXT NOT NULL,
    weight INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (a, b, chunk)
) WITHOUT ROWID;
CREATE INDEX decision_b ON decision (b);
-- What users said of two names, over every decision. It stands on no page.
CREATE TABLE ruling (
    a BLOB NOT NULL,
    b BLOB NOT NULL,
    verdict TEXT NOT NULL,
    why TEXT NOT NULL,
    said_seq INTEGER NOT NULL,
    said_at TEXT NOT NULL,
    PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX ruling_b ON ruling (b);
CREATE TABLE mention (node BLOB NOT NULL, chunk BLOB NOT NULL, PRIMARY KEY (node, chunk)) WITHOUT ROWID;
CREATE INDEX mention_chunk ON mention (chunk);
CREATE TABLE entity (
    entity BLOB PRIMARY KEY,
    named TEXT NOT NULL,  -- the name that the resolver gave it
    name TEXT NOT NULL,   -- the name shown: for a person the display name
    kind TEXT NOT NULL,
    changed_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE fact (
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
    closed_by BLOB,  -- the fact that ended it, when it was not the text itself
    created_at TEXT NOT NULL,
    expired_at TEXT,
    changed_seq INTEGER NOT NULL
);
CREATE INDEX fact_subject ON fact (subject);
CREATE INDEX fact_object ON fact (object);
CREATE INDEX fact_live ON fact (row) WHERE folded_into IS NULL AND withdrawn = 0;
CREATE INDEX fact_folded ON fact (folded_into) WHERE folded_into IS NOT NULL;
CREATE TABLE support (
    fact BLOB NOT NULL,
    chunk BLOB NOT NULL,
    page TEXT NOT NULL,
    sentence TEXT NOT NULL,
    valid_at TEXT,
    invalid_at TEXT,
    from_version INTEGER NOT NULL,
    asserted_from TEXT,
    ended TEXT,
    end_version INTEGER,
    asserted_to TEXT,
    noticed_at TEXT,
    until TEXT, -- the end that the text itself names, where `invalid_at` came with another value
    PRIMARY KEY (fact, chunk)
) WITHOUT ROWID;
CREATE INDEX support_page ON support (page);
CREATE INDEX support_chunk ON support (chunk);
-- What was found about pairs of facts; `stands` while they share the entities they were judged for.
CREATE TABLE judgement (
    a BLOB NOT NULL,
    b BLOB NOT NULL,
    likeness TEXT NOT NULL,
    why TEXT NOT NULL,
    stands INTEGER NOT NULL,
    PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX judgement_b ON judgement (b);
-- Earlier stretches of time in which a fact was true; the last one is in its own row.
CREATE TABLE spell (
    fact BLOB NOT NULL,
    number INTEGER NOT NULL,
    valid_at TEXT,
    invalid_at TEXT,
    closed_by BLOB,
    PRIMARY KEY (fact, number)
) WITHOUT ROWID;

-- Finding. Vectors are filled behind the loop and are no part of any comparison.
CREATE VIRTUAL TABLE chunk_text USING fts5 (path, text, content = '', contentless_delete = 1, tokenize = 'porter unicode61');
CREATE VIRTUAL TABLE node_text USING fts5 (name, content = '', contentless_delete = 1, tokenize = 'porter unicode61');
CREATE VIRTUAL TABLE fact_text USING fts5 (statement, sentence, card, content = '', contentless_delete = 1, tokenize = 'porter unicode61');
-- Names that are alike, noted from their vectors and kept apart until somebody judges them.
-- Names that were found to mean nearly the same before their epoch was resolved; from records.
CREATE TABLE candidate (a BLOB NOT NULL, b BLOB NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE INDEX candidate_b ON candidate (b);
CREATE TABLE alike (a BLOB NOT NULL, b BLOB NOT NULL, score REAL NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE vector_of (kind TEXT NOT NULL, row INTEGER NOT NULL, text_hash BLOB NOT NULL, PRIMARY KEY (kind, row)) WITHOUT ROWID;
CREATE TABLE vector (text_hash BLOB NOT NULL, model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (text_hash, model)) WITHOUT ROWID;
-- Texts that are owed a vector of the model that is set: noted behind the loop, no part of the fold.
CREATE TABLE owed_vector (
    row INTEGER PRIMARY KEY,
    text_hash BLOB NOT NULL UNIQUE,
    text TEXT NOT NULL,
    call INTEGER, -- the call under way that asks for it, by its record
    most INTEGER  -- texts that may share its call, where more were refused together
);
CREATE INDEX owed_vector_call ON owed_vector (call, row);
CREATE TABLE refused_vector (
    text_hash BLOB NOT NULL,
    model TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (text_hash, model)
) WITHOUT ROWID;
-- Calls for vectors by the record that announced them.
CREATE TABLE embedding_call (
    seq INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    texts BLOB NOT NULL,     -- 16 bytes each
    began_at TEXT NOT NULL,
    tokens INTEGER NOT NULL, -- reserved
    ended TEXT,              -- as in `call`; refused: these texts were not taken
    sent_at TEXT,
    ended_at TEXT,
    wait_ms INTEGER,
    used INTEGER NOT NULL DEFAULT 0,
    why TEXT
);
CREATE INDEX embedding_call_began ON embedding_call (began_at);
CREATE INDEX embedding_call_open ON embedding_call (seq) WHERE ended IS NULL;

-- Communities of entities: noted behind the loop, no part of the fold nor of any comparison (`meta`: `communities` says
-- after which epoch). An island, entities that facts connect, is known by the hash of all that divides it.
CREATE TABLE community (
    community BLOB PRIMARY KEY,
    island BLOB NOT NULL,
    parent BLOB,             -- the community that it is a part of; null at the upper level
    entities INTEGER NOT NULL,
    facts INTEGER NOT NULL   -- between its members
) WITHOUT ROWID;
CREATE INDEX community_island ON community (island);
CREATE TABLE community_member (
    community BLOB NOT NULL,
    entity BLOB NOT NULL,
    facts INTEGER NOT NULL,  -- to other members
    PRIMARY KEY (community, entity)
) WITHOUT ROWID;
CREATE INDEX community_member_entity ON community_member (entity);

-- For people who look with `sqlite3`.
CREATE VIEW statement AS
SELECT hex(fact.fact) AS fact, coalesce(se.name, sn.name) AS subject, fact.relation,
       coalesce(fact.value, oe.name, obj.name) AS object, fact.valid_at, fact.invalid_at, fact.withdrawn,
       fact.extractor
FROM fact
JOIN node sn ON sn.node = fact.subject
LEFT JOIN entity se ON se.entity = sn.entity
LEFT JOIN node obj ON obj.node = fact.object
LEFT JOIN entity oe ON oe.entity = obj.entity
WHERE fact.folded_into IS NULL;
