-- Adds events to one account's activity log, which is a capped copy of part of the audit streams.
--
-- KEYS  stream
-- ARGV  events (one a line), longest stream, life of the whole log without a new event in ms

-- As audit-append.lua has it.
local longest = tonumber(ARGV[2])
if string.sub(KEYS[1], -8) == ':notices' then longest = math.max(longest, 1000) end

for event in string.gmatch(ARGV[1], '[^\n]+') do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', longest, '*', 'e', event)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
