-- Adds events of the record to an activity log that is made anew beside the one in use. The first
-- time what the one in use has from before the record begins is taken over: nothing else holds it.
--
-- KEYS  the log made anew, the one in use (streams), in one slot
-- ARGV  longest log, life of an unfinished log in ms, when the record begins in ms since 1970, "1"
--       where events were added before, then for each event, oldest first: when it was recorded in
--       ms since 1970, the event
-- Answer  events in the log made anew; -1: it has gone, and with it what was added before

local ANEW, OLD = KEYS[1], KEYS[2]
local longest = ARGV[1]
if redis.call('EXISTS', ANEW) == 0 then
  if ARGV[4] == '1' then return -1 end
  local before = redis.call('XREVRANGE', OLD, '(' .. ARGV[3] .. '-0', '-', 'COUNT', longest)
  for at = #before, 1, -1 do
    redis.call('XADD', ANEW, 'MAXLEN', '~', longest, before[at][1], unpack(before[at][2]))
  end
end
for at = 5, #ARGV, 2 do
  redis.call('XADD', ANEW, 'MAXLEN', '~', longest, ARGV[at] .. '-*', 'e', ARGV[at + 1])
end
redis.call('PEXPIRE', ANEW, ARGV[2])
return redis.call('XLEN', ANEW)
