-- with listing.lua
-- Brings the lists up to date with changes that were made by somebody who does not keep them.
--
-- KEYS  state, names, marks, times, texts, rows, numbers, free
-- ARGV  version of the lists' form, seq and tip where they are, seq and tip where they will be, and
--       the changes as JSON: a list of { id, entry }
-- Answer  1, or 0 when somebody else was faster

local at = listingAt(1)
if not listsAreAt(at, ARGV[1], ARGV[2], ARGV[3]) then return 0 end
local done, fault = listAll(at, cjson.decode(ARGV[6]))
if not done then return redis.error_reply('ERR the lists cannot be kept: ' .. tostring(fault)) end
redis.call('HSET', at.state, 'seq', ARGV[4], 'tip', ARGV[5])
return 1
