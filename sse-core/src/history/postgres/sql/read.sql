-- Reading, and removing what is old.

-- The records after a position, up to a number and to a number of bytes, but at least one.
create or replace function {sse}.read(after bigint, most bigint, max_bytes bigint)
returns table (seq bigint, epoch bigint, finish boolean, topics text, lines bytea)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
  -- The newest epoch is looked up once, the others for each record.
  return query select r.seq, case when r.seq >= (select e.begins from {sse}.epoch e order by e.place desc limit 1)
      then (select e.epoch from {sse}.epoch e order by e.place desc limit 1) else {sse}.epoch_at(r.seq) end,
    r.finish, case when r.also is null then r.topic else r.topic || ' ' || array_to_string(r.also, ' ') end, r.lines
  from (
    select e.*, e.total - first_value(e.total) over w + first_value(octet_length(e.lines)) over w as bytes
    from {sse}.event e where e.seq > after window w as (order by e.seq) order by e.seq limit most
  ) r where r.seq = after + 1 or r.bytes <= max_bytes order by r.seq;
end $$;

-- What is kept, in one snapshot. For the topics: the last position of their records, the last that was trimmed, and for
-- each that is finished the topic and its last position.
create or replace function {sse}.bounds(fresh bigint, seen_epoch bigint, seen_seq bigint, topics text[],
  out oldest bigint, out head bigint, out last bigint, out trimmed bigint, out finished text[], out epochs bigint[])
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
  if not {sse}.is_current(seen_epoch, seen_seq) then
    perform {sse}.turn(fresh, seen_epoch, seen_seq, true);
  end if;
  select s.oldest, {sse}.head(), t.last, t.trimmed, t.finished,
    (select array_agg(v order by p.place, n) from {sse}.epoch p, lateral (values (1, p.begins), (2, p.epoch)) as w (n, v))
    into strict oldest, head, last, trimmed, finished, epochs
  from {sse}.state s, lateral (
    select coalesce(max(greatest(e.seq, l.seq, q.last, s.forgotten * (q.last is null)::integer)), 0) as last,
      coalesce(max(coalesce(q.last, s.forgotten)), 0) as trimmed,
      array_agg(x.topic || ' ' || coalesce(e.seq, q.last)) filter (where
        case when e.seq is null and l.seq is null then q.finished else e.finish and e.seq > coalesce(l.seq, 0) end) as finished
    from unnest(topics) x (topic)
    left join lateral (select v.seq, v.finish from {sse}.event v where v.topic = x.topic order by v.seq desc limit 1) e on true
    left join lateral (select v.seq from {sse}.label v where v.topic = x.topic order by v.seq desc limit 1) l on true
    left join {sse}.quiet q on q.topic = x.topic
  ) t;
end $$;

-- The newest records' positions and topics, newest first.
create or replace function {sse}.newest(most integer) returns table (seq bigint, topics text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select e.seq, case when e.also is null then e.topic else e.topic || ' ' || array_to_string(e.also, ' ') end
  from {sse}.event e order by e.seq desc limit most $$;

-- The topics that begin with a prefix and come after a text, each with its last position. The indexes are searched once
-- for each topic, however many records it has.
create or replace function {sse}.topics(prefix text, after text, most integer) returns table (topic text, last bigint)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  beyond text collate "C" := prefix || E'\x7f';
begin
  return query with recursive found as (
    select least(
      (select e.topic from {sse}.event e where e.topic > after and e.topic < beyond order by e.topic limit 1),
      (select l.topic from {sse}.label l where l.topic > after and l.topic < beyond order by l.topic limit 1),
      (select q.topic from {sse}.quiet q where q.topic > after and q.topic < beyond order by q.topic limit 1)) as name, 1 as n
    union all
    select least(
      (select e.topic from {sse}.event e where e.topic > f.name and e.topic < beyond order by e.topic limit 1),
      (select l.topic from {sse}.label l where l.topic > f.name and l.topic < beyond order by l.topic limit 1),
      (select q.topic from {sse}.quiet q where q.topic > f.name and q.topic < beyond order by q.topic limit 1)), f.n + 1
    from found f where f.name is not null and f.n < most
  ) select f.name::text, greatest(0,
      (select e.seq from {sse}.event e where e.topic = f.name order by e.seq desc limit 1),
      (select l.seq from {sse}.label l where l.topic = f.name order by l.seq desc limit 1),
      (select q.last from {sse}.quiet q where q.topic = f.name))
    from found f where f.name is not null order by f.n;
end $$;

-- Removes at most `most` records that are over a limit, and old keys; never the last record. Returns the oldest position,
-- and whether more is over a limit. -1: another process is trimming.
create or replace function {sse}.trim(events bigint, bytes bigint, age bigint, key_age bigint, most integer, out oldest bigint, out is_done boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  s {sse}.state;
  last {sse}.event;
  upto bigint;
  since timestamptz := clock_timestamp() - make_interval(secs => age / 1000.0);
begin
  is_done := true;
  if not pg_try_advisory_xact_lock('{sse}.event'::regclass::oid::integer, 2) then
    oldest := -1;
    return;
  end if;
  delete from {sse}.key k where k.hash in (
    select o.hash from {sse}.key o where o.at < clock_timestamp() - make_interval(secs => key_age / 1000.0) order by o.at limit most);
  select * into strict s from {sse}.state;
  select * into last from {sse}.event e order by e.seq desc limit 1;
  oldest := s.oldest;
  select max(e.seq) into upto from {sse}.event e where e.seq >= s.oldest and e.seq < least(s.oldest + most, last.seq)
    and (e.seq <= last.seq - events or last.total - e.total + octet_length(e.lines) > bytes or e.at < since);
  if upto is null or s.fence is null then
    return;
  end if;
  select * into strict s from {sse}.state for update;
  if s.oldest <> trim.oldest or s.fence is null then
    return;
  end if;
  with gone as (
    delete from {sse}.event e where e.seq >= s.oldest and e.seq <= upto returning e.seq, e.topic, e.also, e.finish
  ), gone_labels as (
    delete from {sse}.label l where l.seq >= s.oldest and l.seq <= upto
  ), ends as (
    select x.topic, max(x.seq) as last, (array_agg(x.finish order by x.seq desc))[1] as finished
    from (select g.topic, g.seq, g.finish from gone g union all select l, g.seq, false from gone g, unnest(g.also) l) x group by x.topic
  ) insert into {sse}.quiet as q (topic, last, finished, at) select e.topic, e.last, e.finished, clock_timestamp() from ends e
    on conflict (topic) do update set last = excluded.last, finished = excluded.finished, at = excluded.at;
  oldest := upto + 1;
  is_done := upto < s.oldest + most - 1;
  update {sse}.state set oldest = trim.oldest, fence = s.fence, cut = s.cut;
end $$;

-- Forgets the topics that were trimmed first, beyond a number of topics: at most 1,000, never one without newer records
-- that was finished within two hours.
create or replace function {sse}.forget(most bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  highest bigint;
begin
  if (select count(*) from (select from {sse}.quiet limit most + 10000) q) < most + 10000 then
    return;
  end if;
  with gone as (
    delete from {sse}.quiet q where q.topic in (select o.topic from {sse}.quiet o order by o.last limit 1000)
      and not (q.finished and q.at > clock_timestamp() - interval '2 hours') returning q.last
  ) select max(g.last) into highest from gone g;
  update {sse}.state s set forgotten = greatest(s.forgotten, highest);
end $$;

-- Sends a signal, and returns the number of connections of hubs that listen.
create or replace function {sse}.send_signal(payload text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('{sse}_signal', payload);
  return (select count(*) from pg_stat_get_activity(null) a
    where a.datid = (select d.oid from pg_database d where d.datname = current_database()) and a.application_name = '{sse} listener');
end $$;

-- The highest last position of the topics that are not remembered.
create or replace function {sse}.forgotten() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select forgotten from {sse}.state $$;

-- The version of the schema.
create or replace function {sse}.version() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$ select version from {sse}.state $$;

revoke all on all functions in schema {sse} from public;
