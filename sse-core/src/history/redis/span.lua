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

-- A topic that is remembered is not one that was forgotten.
local exact_last, all_remembered = 0, true
for number = 1, count do
  local at = 4 + 2 * number
  local what = ARGV[at + 1]
  if ARGV[at] == 'exact' then
    local seq = redis.call('ZSCORE', topics, what)
    if seq then
      exact_last = math.max(exact_last, tonumber(seq))
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
if all_remembered then
  last = exact_last
else
  last = math.max(last, exact_last)
end
return { text(head), text(oldest()), text(last), redis.call('LRANGE', epochs, 0, -1), finished }
