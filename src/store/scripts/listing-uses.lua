-- with listing.lua
-- Takes last uses, which gates have noted, into the lists.
--
-- KEYS  state, names, marks, times, texts, rows, numbers, free, then the uses (sorted set:
--       `ACCOUNT TOKEN` by time)
-- ARGV  how many at most
-- Answer  how many there were

local at, USES = listingAt(1), KEYS[9]
local uses = redis.call('ZRANGE', USES, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for index = 1, #uses, 2 do
  local id, token = string.match(uses[index], '^(%S+) (%S+)$')
  local number = id and redis.call('HGET', at.numbers, id)
  local row = number and cjson.decode(redis.call('HGET', at.rows, number))
  local time = tonumber(uses[index + 1])
  if row and row[3] == token and time > getTime(at, USED, tonumber(number)) then setTime(at, USED, tonumber(number), math.floor(time)) end
  redis.call('ZREM', USES, uses[index])
end
flush(at)
return #uses / 2
