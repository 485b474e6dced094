-- Numbering: the only way into the log. Only one transaction at a time has the turn.

-- The server and the table. A restart, a promotion, a restored backup and a restored dump each change it, or remove the
-- row of `alive`.
create or replace function {sse}.fence() returns text language sql stable as $$
  select concat_ws('/', extract(epoch from pg_postmaster_start_time()), '{sse}.event'::regclass::oid,
    pg_relation_filenode('{sse}.event'::regclass)) $$;

-- The last position; after all records were removed, the position that the last of them had.
create or replace function {sse}.head() returns bigint language sql stable as $$
  select coalesce((select e.seq from {sse}.event e order by e.seq desc limit 1),
    (select greatest(s.oldest - 1, s.cut) from {sse}.state s)) $$;

-- The epoch of a position; null below the first row of the table.
create or replace function {sse}.epoch_at(seq bigint) returns bigint language sql stable as $$
  select e.epoch from {sse}.epoch e where e.begins <= epoch_at.seq order by e.place desc limit 1 $$;

-- Whether the log goes on in its newest epoch. False if it may have lost its end, and if it lacks the newest position that
-- the caller has seen: then this is an older copy.
create or replace function {sse}.is_current(seen_epoch bigint, seen_seq bigint) returns boolean language sql stable as $$
  select coalesce((
    select s.fence = {sse}.fence() and exists (select from {sse}.alive)
      and s.epoch = (select e.epoch from {sse}.epoch e order by e.place desc limit 1)
      and case when seen_epoch is null then true when seen_epoch = s.epoch then seen_seq <= {sse}.head()
        else exists (select from {sse}.epoch e where e.epoch = seen_epoch) end
    from {sse}.state s), false) $$;

-- Begins an epoch after the head, and repairs what was removed by hand. The caller has the turn.
create or replace function {sse}.begin_epoch(fresh bigint, head bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  s {sse}.state;
  first bigint;
begin
  select * into s from {sse}.state for update;
  if not found then
    raise exception 'sse: the row of {sse}.state is missing' using errcode = 'XX001';
  end if;
  first := s.oldest;
  if s.fence is null and s.epoch is not null then
    -- Records were removed by hand. Those before the last hole cannot be read in order any more, and which topics they
    -- had is not known.
    select coalesce(max(r.seq), head + 1) into first from (
      select e.seq, lag(e.seq) over (order by e.seq) as before from {sse}.event e where e.seq >= s.oldest) r
    where r.before is distinct from r.seq - 1;
    if first > s.oldest then
      delete from {sse}.event e where e.seq < first;
      delete from {sse}.label l where l.seq < first;
      delete from {sse}.quiet;
    end if;
  end if;
  insert into {sse}.epoch (begins, epoch) values (head + 1, fresh);
  update {sse}.state set fence = {sse}.fence(), epoch = fresh, oldest = first, cut = s.cut,
    forgotten = case when first > s.oldest then first - 1 else s.forgotten end;
  insert into {sse}.alive values (true) on conflict do nothing;
  -- Drops epochs that lie completely below the oldest record, that have no record, or that are far too many.
  delete from {sse}.epoch d using (
    select e.place, lead(e.begins) over (order by e.place) as next, e.begins, row_number() over (order by e.place desc) as age
    from {sse}.epoch e) r
  where d.place = r.place and r.age > 1000 and (r.next <= first or r.next <= r.begins or r.age > 10000);
end $$;

-- Takes the turn until the end of the transaction, without waiting if not `wait` (head is null if another transaction has
-- it). What is stored after that is durable, whatever the default of this role is.
create or replace function {sse}.turn(
  fresh bigint, seen_epoch bigint, seen_seq bigint, wait boolean, out head bigint, out total bigint, out epoch bigint
) language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    -- The head would be read as it was before the turn.
    raise exception 'sse: numbering needs the isolation level read committed' using errcode = '25001';
  end if;
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  if wait then
    perform pg_advisory_xact_lock('{sse}.event'::regclass::oid::integer, 1);
  elsif not pg_try_advisory_xact_lock('{sse}.event'::regclass::oid::integer, 1) then
    return;
  end if;
  head := {sse}.head();
  if not {sse}.is_current(seen_epoch, seen_seq) then
    perform {sse}.begin_epoch(fresh, head);
  end if;
  select s.epoch into strict epoch from {sse}.state s;
  total := coalesce((select e.total from {sse}.event e order by e.seq desc limit 1), 0);
end $$;

-- Records were removed or changed by hand: an epoch begins, and no position is used again. `trim` and `begin_epoch` undo
-- this for their own deletes.
create or replace function {sse}.cut() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update {sse}.state set fence = null, cut = greatest(cut, (select e.seq from {sse}.event e order by e.seq desc limit 1));
  return null;
end $$;
do $$ begin
  if not exists (select from pg_trigger where tgrelid = '{sse}.event'::regclass and tgname = 'cut') then
    create trigger cut before delete or truncate or update on {sse}.event for each statement execute function {sse}.cut();
  end if;
end $$;

-- Whether a key's position still names its event: after a fork it may be lost, and then the key counts as new.
create or replace function {sse}.known_key(hash bytea) returns table (epoch bigint, seq bigint) language sql stable as $$
  select k.epoch, k.seq from {sse}.key k
  where k.hash = known_key.hash and coalesce({sse}.epoch_at(k.seq), k.epoch) = k.epoch $$;

-- Moves at most `most` events from the outbox into the log, in the order in which they were published. The caller has the
-- turn. Ids up to `floor` are known to be gone: dead rows are then not looked at again.
create or replace function {sse}.move_outbox(head bigint, total bigint, epoch bigint, floor bigint, most integer,
  out taken integer, out moved integer, out bytes bigint, out last_id bigint)
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
  with taken_rows as (
    delete from {sse}.outbox o where o.id in (select i.id from {sse}.outbox i where i.id > floor order by i.id limit most) returning o.*
  ), ranked as (
    select r.*, row_number() over (partition by r.hash order by r.id) as nth from taken_rows r
  ), placed as (
    select r.*, head + row_number() over (order by r.id) as seq, sum(octet_length(r.lines)) over (order by r.id) as sum
    from ranked r where r.hash is null or (r.nth = 1 and not exists (select from {sse}.known_key(r.hash)))
  ), stored as (
    insert into {sse}.event (seq, at, total, finish, topic, lines)
    select p.seq, clock_timestamp(), move_outbox.total + p.sum, p.finish, p.topic, p.lines from placed p returning 1
  ), keyed as (
    insert into {sse}.key (hash, epoch, seq, at)
    select p.hash, move_outbox.epoch, p.seq, clock_timestamp() from placed p where p.hash is not null
    on conflict (hash) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
  ) select (select count(*) from taken_rows), (select count(*) from stored), coalesce((select max(p.sum) from placed p), 0),
      (select max(r.id) from taken_rows r) into taken, moved, bytes, last_id;
end $$;

-- Announces the head to the tails, unless the queue of notifications is half full: at its end, commits fail.
create or replace function {sse}.announce(head bigint) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if pg_notification_queue_usage() >= 0.5 then
    return false;
  end if;
  perform pg_notify('{sse}_log', head::text);
  return true;
end $$;

-- Moves what waits in the outbox into the log. `taken` is -1 if another transaction has the turn. With a `promise`, the
-- outbox will be looked at again within so many milliseconds, and publishers need not notify.
create or replace function {sse}.sequence(fresh bigint, seen_epoch bigint, seen_seq bigint, floor bigint, most integer, promise integer,
  out taken integer, out epoch bigint, out head bigint, out is_announced boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  t record;
  m record;
begin
  if promise > 0 then
    perform setval('{sse}.promise', (extract(epoch from clock_timestamp()) * 1000)::bigint + promise);
  end if;
  is_announced := true;
  t := {sse}.turn(fresh, seen_epoch, seen_seq, false);
  if t.head is null then
    taken := -1;
    return;
  end if;
  m := {sse}.move_outbox(t.head, t.total, t.epoch, floor, most);
  taken := m.taken; epoch := t.epoch; head := t.head + m.moved;
  if m.moved > 0 then
    is_announced := {sse}.announce(head);
  elsif taken = 0 and t.epoch <> fresh then
    -- Only the promise was written, and nothing waits for that.
    perform set_config('synchronous_commit', 'off', true);
  end if;
end $$;

-- Whether this session is the one that publishers notify: it holds a lock until it ends.
create or replace function {sse}.is_first() returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select pg_try_advisory_lock('{sse}.event'::regclass::oid::integer, 3) $$;

-- Withdraws the promise if `withdraws`, and returns the id up to which the outbox is empty for good; null, and a `promise`
-- is renewed, if a transaction that has published is still open or has just committed.
create or replace function {sse}.rest(promise integer, withdraws boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  until bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint + promise;
  floor bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  if withdraws and (select last_value > 0 from {sse}.promise) then
    perform setval('{sse}.promise', 0);
  end if;
  begin
    -- Conflicts with the inserts of open transactions, and with nothing else that lasts.
    lock table {sse}.outbox in share mode nowait;
    select case when i.is_called then i.last_value else 0 end into floor from {sse}.outbox_id_seq i
      where not exists (select from {sse}.outbox);
  exception when lock_not_available then
    floor := null;
  end;
  if floor is null and promise > 0 then
    perform setval('{sse}.promise', until);
  end if;
  return floor;
end $$;

-- Stores a hub's own entries after what waits in the outbox, all or none. Returns for each, in order, its position or that
-- of the first entry with its key. `topics` has the topics of each entry, separated by spaces.
create or replace function {sse}.append(fresh bigint, seen_epoch bigint, seen_seq bigint, floor bigint,
  topics text[], finishes boolean[], keys bytea[], datas bytea[])
returns table (epoch bigint, seq bigint, duplicate boolean, is_announced boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
  t record;
  m record;
begin
  t := {sse}.turn(fresh, seen_epoch, seen_seq, true);
  loop
    m := {sse}.move_outbox(t.head, t.total, t.epoch, floor, 5000);
    t.head := t.head + m.moved; t.total := t.total + m.bytes; floor := greatest(floor, m.last_id);
    exit when m.taken < 5000;
  end loop;
  return query with given as (
    select g.ord, string_to_array(g.topics, ' ') as topics, g.finish, sha256(g.key) as hash, g.lines
    from unnest(append.topics, finishes, keys, datas) with ordinality g (topics, finish, key, lines, ord)
  ), ranked as (
    select g.*, row_number() over (partition by g.hash order by g.ord) as nth from given g
  ), placed as (
    select r.*, t.head + row_number() over (order by r.ord) as seq, t.total + sum(octet_length(r.lines)) over (order by r.ord) as sum
    from ranked r where r.hash is null or (r.nth = 1 and not exists (select from {sse}.known_key(r.hash)))
  ), stored as (
    insert into {sse}.event (seq, at, total, finish, topic, also, lines)
    select p.seq, clock_timestamp(), p.sum, p.finish, p.topics[1], nullif(p.topics[2:], '{}'), p.lines from placed p
  ), keyed as (
    insert into {sse}.key (hash, epoch, seq, at)
    select p.hash, t.epoch, p.seq, clock_timestamp() from placed p where p.hash is not null
    on conflict (hash) do update set epoch = excluded.epoch, seq = excluded.seq, at = excluded.at
  ), labelled as (
    insert into {sse}.label (topic, seq) select l, p.seq from placed p, unnest(p.topics[2:]) l on conflict do nothing
  ), announced as (
    select coalesce(bool_and({sse}.announce(n.head)), true) as is_announced
    from (select max(p.seq) as head from placed p having count(*) > 0) n
  ) select case when p.seq is null then coalesce(k.epoch, t.epoch) else t.epoch end, coalesce(p.seq, k.seq, f.seq), p.seq is null, a.is_announced
    from ranked g left join placed p on p.ord = g.ord left join lateral {sse}.known_key(g.hash) k on true
      left join placed f on f.hash = g.hash, announced a
    order by g.ord;
end $$;
