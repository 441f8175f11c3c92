-- Takes an instance off the list of members, unless it has renewed its lease since it was looked
-- at.
--
-- KEYS  members, the lease and the acknowledgement of the instance
-- ARGV  the instance, the end of its lease's key when it was looked at ('' = there was none)
-- Answer  1 = it is no member any more, 0 = it has renewed

local ends = redis.call('PEXPIRETIME', KEYS[2])
local now = ends < 0 and '' or string.format('%.0f', ends)
if now ~= ARGV[2] then return 0 end

redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return 1
