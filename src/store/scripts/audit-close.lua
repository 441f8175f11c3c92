-- Records outcomes of permits that an instance left open, notes that they are closed, and that
-- somebody has to vouch for these outcomes: all or nothing, once however often and by however many it is asked for. Nothing is done when the
-- instance has recorded anything since its notes were read, or somebody else has closed some of it.
--
-- KEYS  stream, last number held of the instance (string), its notes of open permits (string), all
--       instances (hash), outcomes for which somebody has to vouch (hash), all in one slot
-- ARGV  instance, last number and bytes of the notes as they were read, outcomes (one a line), what
--       is added to the notes (empty: nothing is open any more, and the instance is forgotten), life
--       of its last number from then on in ms, digest of the outcomes, what is noted of them
-- Answer  1, or 0 where nothing was done

local STREAM, LAST, OPEN, INSTANCES, UNVOUCHED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if not redis.call('HGET', INSTANCES, ARGV[1]) then return 0 end
local notes = redis.call('GET', OPEN) or ''
if (redis.call('GET', LAST) or '0') .. ' ' .. #notes ~= ARGV[2] then return 0 end
local found = redis.call('TYPE', STREAM).ok
if found ~= 'none' and found ~= 'stream' then return redis.error_reply('WRONGTYPE the audit stream is a ' .. found) end

for event in string.gmatch(ARGV[3], '[^\n]+') do redis.call('XADD', STREAM, '*', 'e', event) end
-- Without the right to it, whoever writes them vouches for them alone.
if ARGV[3] ~= '' then redis.pcall('HSET', UNVOUCHED, ARGV[6], ARGV[7]) end
if ARGV[4] == '' then
  -- A user from before this right leaves the number there for good.
  redis.pcall('PEXPIRE', LAST, ARGV[5])
  redis.call('DEL', OPEN)
  redis.call('HDEL', INSTANCES, ARGV[1])
else
  redis.call('APPEND', OPEN, ARGV[4])
end
return 1
