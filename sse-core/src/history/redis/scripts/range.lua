-- Returns the entries of the log from ARGV[1] to ARGV[2], at most ARGV[3], and none after they have ARGV[4] bytes
-- together.
local PAGE = 8
local from, count, most = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local found, bytes = {}, 0
while #found < count do
  local wanted = math.min(PAGE, count - #found)
  local page = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', wanted)
  for _, entry in ipairs(page) do
    found[#found + 1] = entry
    bytes = bytes + #entry[2][#entry[2]]
    if bytes >= most then
      return found
    end
  end
  if #page < wanted then
    break
  end
  from = '(' .. page[#page][1]
end
return found
