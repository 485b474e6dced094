-- Returns the bounds. ARGV: 1 to remove entries of other clients from the end, the number of newest topics wanted
-- for wildcards, then the requested exact topics.
local PAGE = tonumber(ARGV[7])

if ARGV[6] == '1' then
  sweep()
  redis.call('HSET', meta, 'head', text(head))
end
trim()
local from, forgotten = oldest(), counted(redis.call('HGET', meta, 'forgotten'))

-- The position up to which the records of a topic were trimmed, as far as it is known.
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

-- A topic that is remembered is not one of the forgotten ones.
local last, trimmed, all_remembered, finished = 0, 0, 1, {}
for place = 8, #ARGV do
  local topic = ARGV[place]
  local seq = redis.call('ZSCORE', topics, topic)
  if seq then
    seq = math.min(counted(seq), head)
    last = math.max(last, seq)
    trimmed = math.max(trimmed, trimmed_of(topic, seq))
    local finish = string.match(redis.call('HGET', finishes, topic) or '', '^(%x+ %d+)')
    if finish then
      finished[#finished + 1] = topic
      finished[#finished + 1] = finish
    end
  else
    all_remembered = 0
  end
end

local newest = {}
if PAGE > 0 then
  newest = redis.call('ZREVRANGE', topics, 0, PAGE - 1, 'WITHSCORES')
end
return {
  text(head), text(from), text(last), text(trimmed), all_remembered, text(forgotten), redis.call('LRANGE', epochs, 0, -1),
  finished, newest,
}
