-- The interface for applications and triggers: publish, finish and signal. Grant it with
--   grant usage on schema {sse} to app;
--   grant execute on function {sse}.publish, {sse}.finish, {sse}.signal to app;
-- These functions run with their owner's rights, so their search_path is fixed.

-- What `Topic` allows, without the topics that are reserved for hubs.
create or replace function {sse}.is_topic(topic text) returns boolean language sql immutable as $$
  select coalesce(octet_length(topic) between 1 and 256 and topic !~ '[^!-~]' and topic !~ '(^|\.)(\.|$)' and topic !~ '[*>]'
    and not starts_with(topic, '$sse.'), false) $$;

-- The encoded fields of an event, as `Event::message(data).event(event)` writes them.
create or replace function {sse}.encode(data text, event text) returns bytea language sql stable as $$
  select convert_to('data: ' || replace(replace(replace(data, E'\r\n', E'\n'), E'\r', E'\n'), E'\n', E'\ndata: ')
    || E'\n' || coalesce('event: ' || event || E'\n', ''), 'UTF8') $$;

-- Refuses what `Topic`, `EventType` and a hub refuse.
create or replace function {sse}.check_event(topic text, data text, event text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not {sse}.is_topic(topic) then
    raise exception 'sse: % is not a topic', quote_nullable(left(topic, 300)) using errcode = '22023',
      hint = 'A topic has 1 to 256 bytes of visible ASCII in parts that are separated by dots, without * and >, and does not begin with $sse.';
  elsif data is null then
    raise exception 'sse: the data of an event is null' using errcode = '22004', hint = 'Use an empty text for an event without data.';
  elsif event = '' or starts_with(event, 'sse.') or event ~ E'[\x01-\x1f\x7f]' then
    raise exception 'sse: % is not an event type', quote_literal(left(event, 300)) using errcode = '22023',
      hint = 'A type is not empty, has no control characters and does not begin with sse.; null means message.';
  end if;
end $$;

-- Stores an event in the outbox, and notifies the sequencer if it does not look by itself. The insert comes first: a
-- sequencer that goes to sleep either sees the lock of the insert or has withdrawn its promise before the promise is
-- read here.
create or replace function {sse}.enqueue(topic text, finish boolean, hash bytea, lines bytea) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into {sse}.outbox (topic, finish, hash, lines) values (topic, finish, hash, lines);
  if (select last_value from {sse}.promise) < extract(epoch from clock_timestamp()) * 1000
    and current_setting('sse.ring', true) is distinct from 'off' and pg_notification_queue_usage() < 0.5 then
    perform pg_notify('{sse}', '');
  end if;
end $$;

-- Publishes an event if and when this transaction commits. Of the events of a topic with the same key, one is kept.
create or replace function {sse}.publish(topic text, data text, event text default null, key text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform {sse}.check_event(topic, data, event);
  perform {sse}.enqueue(topic, false, sha256(convert_to(topic || E' \n' || key, 'UTF8')), {sse}.encode(data, event));
end $$;

-- Finishes a topic if and when this transaction commits: its readers get the remaining events and the end.
create or replace function {sse}.finish(topic text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform {sse}.check_event(topic, '', null);
  perform {sse}.enqueue(topic, true, null, convert_to(E'event: sse.end\ndata: {"topic":' || to_json(topic) || E'}\n', 'UTF8'));
end $$;

-- Sends an event to the readers that are connected when this transaction commits, without storing it.
create or replace function {sse}.signal(topic text, data text, event text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  payload text;
begin
  perform {sse}.check_event(topic, data, event);
  payload := topic || E'\n' || convert_from({sse}.encode(data, event), 'UTF8');
  if octet_length(payload) > 7999 then
    raise exception 'sse: a signal of % bytes; at most 7999 are possible', octet_length(payload) using errcode = '22023',
      hint = 'Publish the event instead.';
  end if;
  perform pg_notify('{sse}_signal', payload);
end $$;
