-- Stores entries, all or none. ARGV: the milliseconds for which a key is remembered, the number of entries, and
-- for each entry: its topics, 1 if it is a finish, the index of its key in KEYS or 0, its bytes.
local memory, count = ARGV[6], tonumber(ARGV[7])

local before = head
local answers, blocks, block, size, added = {}, {}, {}, 0, 0
local placed, firsts, lasts, ends = {}, {}, {}, {}

local function flush()
  if #block > 0 then
    blocks[#blocks + 1] = { text(head) .. '-' .. #block, table.concat(block) }
    block, size = {}, 0
  end
end

for number = 1, count do
  local at = 4 + 4 * number
  local key = tonumber(ARGV[at + 2])
  local name = key > 0 and KEYS[7 + key]
  local place = name and (placed[name] or redis.pcall('GET', name))
  if type(place) == 'string' and string.match(place, '^%x+ %d+$') then
    answers[number] = '=' .. place
  else
    head = head + 1
    place = epoch .. ' ' .. text(head)
    answers[number] = place
    if name then
      placed[name] = place
    end
    local is_finish = ARGV[at + 1] == '1'
    for topic in string.gmatch(ARGV[at], '[^ ]+') do
      firsts[topic] = firsts[topic] or text(head)
      lasts[topic] = text(head)
      ends[topic] = is_finish and (place .. ' ' .. text(now))
    end
    block[#block + 1] = ARGV[at + 3]
    size = size + #ARGV[at + 3]
    added = added + #ARGV[at + 3]
    if #block >= MOST_RECORDS or size >= MOST_BYTES then
      flush()
    end
  end
end
flush()

if #blocks == 0 then
  return answers
end
for number, entry in ipairs(blocks) do
  local id = redis.pcall('XADD', log, entry[1], epoch, entry[2])
  if number == 1 and type(id) == 'table' and id.err and string.find(id.err, 'equal or smaller', 1, true) then
    -- Another client wrote to the stream, or the other keys are older than the stream.
    local reached = head
    head = before
    sweep()
    if head == before then
      id = redis.pcall('XADD', log, entry[1], epoch, entry[2])
    else
      redis.call('HSET', meta, 'head', text(head))
    end
    head = reached
  end
  if type(id) == 'table' and id.err then
    return id
  end
end
for name, place in pairs(placed) do
  redis.call('SET', name, place, 'PX', memory)
end
-- A topic whose records were all trimmed comes back: it has no record between the last trimmed one and the first
-- new one.
local from, forgotten = oldest(), text(counted(redis.call('HGET', meta, 'forgotten')))
for topic, seq in pairs(firsts) do
  local former = redis.call('ZSCORE', topics, topic)
  if not former or counted(former) < from then
    redis.call('HSET', lulls, topic, (former and text(counted(former)) or forgotten) .. ' ' .. seq)
  end
end
for topic, seq in pairs(lasts) do
  redis.call('ZADD', topics, seq, topic)
  if ends[topic] then
    redis.call('HSET', finishes, topic, ends[topic])
  else
    redis.call('HDEL', finishes, topic)
  end
end
bytes = bytes + added
redis.call('HSET', meta, 'head', text(head), 'bytes', text(bytes))

local at, _, size_then = string.match(redis.call('LINDEX', marks, -1) or '', '^(%d+) (%d+) (%d+)$')
if not at or now < tonumber(at) or now - tonumber(at) >= keep_age / 64 or bytes - tonumber(size_then) >= keep_bytes / 64 then
  redis.call('RPUSH', marks, text(now) .. ' ' .. text(head) .. ' ' .. text(bytes))
end
trim()

if redis.call('ZCARD', topics) > MOST_TOPICS + SLACK then
  from, forgotten = oldest(), tonumber(forgotten)
  local quiet = redis.call('ZRANGE', topics, 0, 999, 'WITHSCORES')
  for place = 1, #quiet, 2 do
    local topic, seq = quiet[place], counted(quiet[place + 1])
    if seq >= from then
      break
    end
    local finish = redis.call('HGET', finishes, topic)
    if not finish or now - counted(string.match(finish, '(%d+)$')) > FINISH_MEMORY then
      redis.call('ZREM', topics, topic)
      redis.call('HDEL', finishes, topic)
      redis.call('HDEL', lulls, topic)
      forgotten = math.max(forgotten, seq)
    end
  end
  redis.call('HSET', meta, 'forgotten', text(forgotten))
end
return answers
