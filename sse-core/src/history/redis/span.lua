-- What is kept. ARGV: how many patterns there are, and of each: `exact` and a topic, or `wild` and a pattern as Lua has it.
local count = tonumber(ARGV[5])

-- How many topics are looked through for a pattern.
local MOST_SCANNED, PAGE = 10000, 500

trim()
local last, finished = 0, {}
if count > 0 then
  last = tonumber(redis.call('HGET', meta, 'forgotten') or 0)
end

local function scan(pattern)
  for from = 0, MOST_SCANNED - 1, PAGE do
    local page = redis.call('ZREVRANGE', topics, from, from + PAGE - 1, 'WITHSCORES')
    for place = 1, #page, 2 do
      local seq = tonumber(page[place + 1])
      if seq <= last then
        return
      end
      if string.find(page[place], pattern) then
        last = seq
        return
      end
    end
    if #page < 2 * PAGE then
      return
    end
  end
  last = head
end

-- Up to where the records of a topic were trimmed, as far as it is known.
local from = oldest()
local function trimmed_of(topic, seq)
  if seq < from then
    return seq
  end
  local before, next = string.match(redis.call('HGET', lulls, topic) or '', '^(%d+) (%d+)$')
  if before and from <= tonumber(next) then
    return math.min(tonumber(before), from - 1)
  end
  return from - 1
end

-- A topic that is remembered is not one that was forgotten.
local exact_last, exact_trimmed, all_remembered = 0, 0, true
for number = 1, count do
  local at = 4 + 2 * number
  local what = ARGV[at + 1]
  if ARGV[at] == 'exact' then
    local seq = redis.call('ZSCORE', topics, what)
    if seq then
      exact_last = math.max(exact_last, tonumber(seq))
      exact_trimmed = math.max(exact_trimmed, trimmed_of(what, tonumber(seq)))
      local finish = redis.call('HGET', finishes, what)
      if finish then
        finished[#finished + 1] = what
        finished[#finished + 1] = string.match(finish, '^(%x+ %d+)')
      end
    else
      all_remembered = false
    end
  else
    all_remembered = false
    scan(what)
  end
end
local trimmed = exact_trimmed
if all_remembered then
  last = exact_last
else
  trimmed = math.max(trimmed, math.min(last, from - 1))
  last = math.max(last, exact_last)
end
return { text(head), text(from), text(last), redis.call('LRANGE', epochs, 0, -1), finished, text(trimmed) }
