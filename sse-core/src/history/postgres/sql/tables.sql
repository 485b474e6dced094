-- The schema of a `PostgresHistory`, version 1, for PostgreSQL 14 or newer. Run it in one transaction. To run it again
-- changes nothing; `drop schema {sse} cascade` removes it with everything that it holds.
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('{sse} schema', 0));
do $$ begin
  if to_regclass('{sse}.state') is not null then
    if (select version > 1 from {sse}.state) then
      raise exception 'the schema {sse} has a newer version than this script' using errcode = '55000';
    end if;
    -- Only the functions are replaced: nothing below locks a table that is in use.
    return;
  end if;
  if to_regnamespace('{sse}') is null then
    create schema {sse};
  end if;

  -- One row, which changes when an epoch begins or records are removed, and never in an append.
  create table {sse}.state (
    id boolean primary key default true check (id),
    version integer not null,
    fence text,                           -- the server and the table that wrote last; null: records were removed by hand
    epoch bigint,                         -- the newest epoch
    oldest bigint not null default 1,     -- the first position that can be read
    forgotten bigint not null default 0,  -- the highest last position of the topics that are not remembered
    cut bigint not null default 0         -- the head when records were last removed by hand
  );
  insert into {sse}.state (version) values (1);
  create table {sse}.epoch (
    place bigint generated always as identity primary key, begins bigint not null, epoch bigint not null
  );
  create index epoch_epoch on {sse}.epoch (epoch);
  -- An unlogged table loses its row in a crash, in a promotion and in a restored backup.
  create unlogged table {sse}.alive (id boolean primary key default true check (id));

  -- The log: append only. The head is its last row.
  create table {sse}.event (
    seq bigint primary key,
    at timestamptz not null,
    total bigint not null,                -- the bytes of all lines up to this row
    finish boolean not null,
    topic text collate "C" not null,
    also text[] collate "C",              -- the further topics of an event that has several
    lines bytea not null                  -- the encoded fields, without the id
  );
  alter table {sse}.event alter column lines set storage external;
  create index event_topic on {sse}.event (topic, seq) include (finish);
  -- The further topics, to find an event by them.
  create table {sse}.label (topic text collate "C", seq bigint, primary key (topic, seq));
  create index label_seq on {sse}.label (seq);
  -- Topics with trimmed records: their last trimmed position, and whether that record was a finish.
  create table {sse}.quiet (
    topic text collate "C" primary key, last bigint not null, finished boolean not null, at timestamptz not null
  );
  create index quiet_last on {sse}.quiet (last);
  -- Publishers' keys, hashed together with the topics.
  create table {sse}.key (hash bytea primary key, epoch bigint not null, seq bigint not null, at timestamptz not null);
  create index key_at on {sse}.key (at);
  -- Events that transactions have published, without positions; the sequencer moves them into the log.
  create table {sse}.outbox (
    id bigint generated always as identity primary key,
    finish boolean not null,
    topic text collate "C" not null,
    hash bytea,
    lines bytea not null
  ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
  -- The millisecond until which the sequencer promises to look into the outbox without being notified. A sequence, because
  -- all transactions see its newest value, whatever their snapshots.
  create sequence {sse}.promise minvalue 0 start 0;
end $$;
