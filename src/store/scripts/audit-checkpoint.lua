-- Notes which permits of an instance have no outcome as of its last event, and where the record goes on after that event.
-- Nothing is noted when the stream holds other events of the instance than it thinks: it then tells all anew.
--
-- KEYS  last number held (string), open permits of the instance (hash: number -> text), all instances (hash: instance ->
--       where the stream goes on after this and number of the instance's last event), all in one slot
-- ARGV  instance, number of its last event, life of the hash in ms, 1 = forget what was noted before, 1 = this is all there is
--       to note, count of numbers that have ended, these numbers, then number and text of each that has been opened
-- Answer  1, or 0 where nothing was noted

local LAST, OPEN, INSTANCES = KEYS[1], KEYS[2], KEYS[3]
if tonumber(redis.call('GET', LAST) or '0') ~= tonumber(ARGV[2]) then return 0 end
if ARGV[4] == '1' then redis.call('DEL', OPEN) end
local ended = tonumber(ARGV[6])
for at = 7, 6 + ended do redis.call('HDEL', OPEN, ARGV[at]) end
for at = 7 + ended, #ARGV, 2 do redis.call('HSET', OPEN, ARGV[at], ARGV[at + 1]) end
redis.call('PEXPIRE', OPEN, ARGV[3])
if ARGV[5] == '1' then
  -- Entries get the time as their id: those that come later are read from a second ago on, and the record itself is not read.
  local from = string.format('%.0f', (tonumber(redis.call('TIME')[1]) - 1) * 1000)
  redis.call('HSET', INSTANCES, ARGV[1], from .. '-0 ' .. ARGV[2])
end
return 1
