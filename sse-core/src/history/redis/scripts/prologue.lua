-- The beginning of every script: checks whether this server may answer, and whether the history may have lost its
-- end. KEYS: log, meta, epochs, topics, finishes, marks, lulls. ARGV: a fresh epoch, then how many events, bytes
-- and milliseconds to keep, then the newest position that the caller has seen, or nothing. The keys may contain
-- data of another client: data that was not written here must not make a script fail.
-- Before 7.0, a script that asks for the time may write only if its effects are replicated instead of the script.
if redis.replicate_commands then
  redis.replicate_commands()
end

local log, meta, epochs, topics, finishes, marks, lulls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local keep_events, keep_bytes, keep_age = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- The number of topics remembered in addition to those that have records, the number of further topics allowed for
-- a while, and the milliseconds for which a finish is remembered.
local MOST_TOPICS, SLACK, FINISH_MEMORY = 100000, 10000, 7200000
-- The number of epochs remembered without stored records.
local MOST_EPOCHS = 1000

local function text(number)
  return string.format('%.0f', number)
end

local info = redis.call('INFO', 'replication')
if not string.find(info, 'role:master', 1, true) then
  return redis.error_reply('READONLY sse: this server is a replica')
end
local fence = string.match(info, 'master_replid:(%x+)')
if not fence then
  return redis.error_reply('NOPERM sse: INFO replication does not show master_replid')
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local kept = redis.call('HMGET', meta, 'fence', 'head', 'epoch', 'bytes')

-- Parses a count or a position; a number too large to be exact here is not one of ours.
local FARTHEST = 2 ^ 52
local function counted(value)
  local number = tonumber(value or 0) or 0
  return number >= 0 and number < FARTHEST and math.floor(number) or 0
end

local head, epoch, bytes = counted(kept[2]), kept[3], counted(kept[4])

-- An entry of the stream is a block: its id is the position of its last record and the number of its records, its
-- only field is the epoch. Returns the first and the last position and the epoch, or nothing for an entry of
-- another client.
local MOST_RECORDS, MOST_BYTES = 256, 65536
local function block_of(entry)
  local last, count = string.match(entry[1], '^(%d+)-(%d+)$')
  last, count = tonumber(last), tonumber(count)
  local of = #entry[2] == 2 and string.match(entry[2][1], '^%x+$')
  if of and #of == 16 and count >= 1 and count <= MOST_RECORDS and count <= last and last < FARTHEST then
    return last - count + 1, last, of
  end
end

-- Removes entries of other clients at the front, a few at a time. Returns the oldest position.
local function oldest()
  for _ = 1, 16 do
    local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    if not entry then
      break
    end
    local first = block_of(entry)
    if first then
      return math.min(first, head + 1)
    end
    redis.call('XDEL', log, entry[1])
  end
  return head + 1
end

-- Removes the entries of other clients at the end, which prevent the next block from being added. Our own blocks
-- after the known head move the head forward: then the other keys are older than the stream.
local function sweep()
  local stands = text(head) .. '-0'
  for _, entry in ipairs(redis.call('XRANGE', log, text(head), '+', 'COUNT', 100)) do
    local first, last, of = block_of(entry)
    if first and last <= head then
      stands = entry[1]
    elseif first and of == epoch and first == head + 1 then
      head, stands = last, entry[1]
    else
      redis.call('XDEL', log, entry[1])
    end
  end
  redis.pcall('XSETID', log, stands)
end

-- The last position of the stream, which the other keys may not know: they may be older, or lost.
local function newest_kept()
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 16)
  for _, entry in ipairs(newest) do
    local _, last = block_of(entry)
    if last then
      return last
    end
  end
  local stream = #newest == 0 and redis.pcall('XINFO', 'STREAM', log) or {}
  for place = 1, #stream, 2 do
    if stream[place] == 'last-generated-id' then
      local _, last = block_of({ stream[place + 1], { ARGV[1], '' } })
      return last or 0
    end
  end
  return 0
end

-- Whether this store lacks the newest position that the caller has seen: it became older, or it is another store.
local function is_behind(place)
  local of, seq = string.match(place, '^(%x+) (%d+)$')
  if not of then
    return false
  end
  if of == epoch then
    return tonumber(seq) > head
  end
  for _, row in ipairs(redis.call('LRANGE', epochs, 0, -1)) do
    if string.sub(row, 1, 17) == of .. ' ' then
      return false
    end
  end
  return true
end

local newest = string.match(redis.call('LINDEX', epochs, -1) or '', '^(%x+) %d+$')
if kept[1] ~= fence or newest ~= epoch or is_behind(ARGV[5]) then
  head = math.max(head, newest_kept())
  epoch = ARGV[1]
  redis.call('RPUSH', epochs, epoch .. ' ' .. text(head + 1))
  redis.call('HSET', meta, 'fence', fence, 'head', text(head), 'epoch', epoch)
  -- Drops epochs that lie completely below the oldest record, that have no record, or that are far too many.
  local count = redis.call('LLEN', epochs)
  if count > MOST_EPOCHS then
    local rows, from, excess = redis.call('LRANGE', epochs, 0, -1), oldest(), count - MOST_EPOCHS
    for place = 1, count - 1 do
      local begins = tonumber(string.match(rows[place], ' (%d+)$') or 0)
      local next = tonumber(string.match(rows[place + 1], ' (%d+)$') or 0)
      if excess > 0 and (next < from or next <= begins or count - place >= 10 * MOST_EPOCHS) then
        excess = excess - 1
        redis.call('LREM', epochs, 1, rows[place])
      end
    end
  end
end

-- A mark records, from time to time: the time, the last position, the number of bytes before it.
local function trim()
  local from = head - keep_events + 1
  while true do
    local mark = redis.call('LINDEX', marks, 0)
    if not mark then
      break
    end
    local at, seq, before = string.match(mark, '^(%d+) (%d+) (%d+)$')
    if at then
      if tonumber(at) > now then
        -- The mark was written before the clock was set back; without this, nothing would expire until that time
        -- comes again.
        at = text(now)
        redis.call('LSET', marks, 0, at .. ' ' .. seq .. ' ' .. before)
      end
      if now - tonumber(at) <= keep_age and bytes - tonumber(before) < keep_bytes then
        break
      end
      from = math.max(from, math.min(tonumber(seq), head) + 1)
    end
    redis.call('LPOP', marks)
  end
  if from > 1 then
    redis.call('XTRIM', log, 'MINID', '~', text(from))
  end
end
