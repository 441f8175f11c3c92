-- Puts an activity log that was made anew in the place of the one in use, in one step. What was
-- copied into the one in use while the other was made is added first, each event once: which is
-- told by its text, since events have other ids there.
--
-- KEYS  the log made anew, the one in use (streams), in one slot
-- ARGV  longest log, life of a log without a new event in ms, from when on events may be missing in
--       the log made anew, and how long before that its events are compared, both in ms
-- Answer  events in the log

local ANEW, OLD = KEYS[1], KEYS[2]
if redis.call('EXISTS', ANEW) == 0 then return 0 end
local from = tonumber(ARGV[3])
local known = {}
for _, entry in ipairs(redis.call('XRANGE', ANEW, string.format('%.0f', math.max(0, from - ARGV[4])), '+')) do
  known[entry[2][2]] = true
end
for _, entry in ipairs(redis.call('XRANGE', OLD, string.format('%.0f', from), '+')) do
  local event = entry[2][2]
  if event and not known[event] then
    local added = redis.pcall('XADD', ANEW, 'MAXLEN', '~', ARGV[1], entry[1], 'e', event)
    -- Two servers' clocks: the id is before the last one.
    if type(added) == 'table' and added.err then
      redis.call('XADD', ANEW, 'MAXLEN', '~', ARGV[1], '*', 'e', event)
    end
  end
end
redis.call('RENAME', ANEW, OLD)
redis.call('PEXPIRE', OLD, ARGV[2])
return redis.call('XLEN', OLD)
