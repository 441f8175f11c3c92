-- Puts an activity log that was made anew in the place of the one in use, in one step. What was
-- copied into the one in use while the other was made is added first, each event once: which is
-- told by its text, since events have other ids there.
--
-- Of what was copied shortly before the record was read to its end nothing should be missing; it is
-- looked at too where servers' clocks may differ. Not where the log is so short that it may lack
-- events of that time for its length.
--
-- KEYS  the log made anew, the one in use (streams), in one slot
-- ARGV  longest log, life of a log without a new event in ms, up to when the record was read in ms
--       since 1970, what is "shortly before" in ms
-- Answer  events in the log

local ANEW, OLD = KEYS[1], KEYS[2]
local read, shortly = tonumber(ARGV[3]), tonumber(ARGV[4])
local first = redis.call('XRANGE', ANEW, '-', '+', 'COUNT', 1)[1]
if not first then return 0 end

local function id(ms) return string.format('%.0f', math.max(0, ms)) end
local from = read + 1
if tonumber(string.match(first[1], '^%d+')) <= read - 2 * shortly then from = from - shortly end
local known = {}
for _, entry in ipairs(redis.call('XRANGE', ANEW, id(from - shortly), '+')) do
  known[entry[2][2]] = true
end
for _, entry in ipairs(redis.call('XRANGE', OLD, id(from), '+')) do
  local event = entry[2][2]
  if event and not known[event] then
    local added = redis.pcall('XADD', ANEW, 'MAXLEN', '~', ARGV[1], entry[1], 'e', event)
    -- By the clock of another server the id may be before the last one.
    if type(added) == 'table' and added.err then
      redis.call('XADD', ANEW, 'MAXLEN', '~', ARGV[1], '*', 'e', event)
    end
  end
end
redis.call('RENAME', ANEW, OLD)
redis.call('PEXPIRE', OLD, ARGV[2])
return redis.call('XLEN', OLD)
