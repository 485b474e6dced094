-- What every script begins with: whether this server may answer, and whether the history may have lost its end.
-- KEYS: log, meta, epochs, topics, finishes, marks, lulls. ARGV: a fresh epoch, then how many events, bytes and milliseconds to keep.
-- Before 7.0, a script that asks for the time may write only what it did, not be run again elsewhere.
if redis.replicate_commands then
  redis.replicate_commands()
end

local log, meta, epochs, topics, finishes, marks, lulls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local keep_events, keep_bytes, keep_age = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- How many topics are remembered beyond those that have records, how many more there may be for a while, and for how
-- many milliseconds a finish is remembered.
local MOST_TOPICS, SLACK, FINISH_MEMORY = 100000, 10000, 7200000
-- How many epochs are remembered although nothing of them is kept.
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
local head, epoch, bytes = tonumber(kept[2] or 0), kept[3], tonumber(kept[4] or 0)

-- An entry's id is the position of its last record and how many records it has.
local function oldest()
  local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not first then
    return head + 1
  end
  local last, count = string.match(first[1], '^(%d+)-(%d+)$')
  return tonumber(last) - tonumber(count) + 1
end

if kept[1] ~= fence then
  local stream = redis.pcall('XINFO', 'STREAM', log)
  for place = 1, #stream, 2 do
    if stream[place] == 'last-generated-id' then
      head = math.max(head, tonumber(string.match(stream[place + 1], '^(%d+)')))
    end
  end
  epoch = ARGV[1]
  redis.call('RPUSH', epochs, epoch .. ' ' .. text(head + 1))
  redis.call('HSET', meta, 'fence', fence, 'head', text(head), 'epoch', epoch)
  while redis.call('LLEN', epochs) > MOST_EPOCHS do
    local begins = string.match(redis.call('LINDEX', epochs, 1), ' (%d+)$')
    if tonumber(begins) >= oldest() then
      break
    end
    redis.call('LPOP', epochs)
  end
end

-- Marks say, from time to time: when, up to which position, after how many bytes.
local function trim()
  local from = head - keep_events + 1
  while true do
    local mark = redis.call('LINDEX', marks, 0)
    if not mark then
      break
    end
    local at, seq, before = string.match(mark, '^(%d+) (%d+) (%d+)$')
    if now - tonumber(at) <= keep_age and bytes - tonumber(before) < keep_bytes then
      break
    end
    from = math.max(from, tonumber(seq) + 1)
    redis.call('LPOP', marks)
  end
  if from > 1 then
    redis.call('XTRIM', log, 'MINID', '~', text(from))
  end
end
