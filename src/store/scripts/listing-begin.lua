-- with listing.lua
-- Begins to make the lists anew, at the registry's present position.
--
-- KEYS  meta, then state, names, marks, times, texts, rows, numbers, free
-- ARGV  version of the lists' form, seq, tip
-- Answer  1, or 0 when the registry stands elsewhere by now

local meta = redis.call('HMGET', KEYS[1], 'seq', 'tip')
if meta[1] ~= ARGV[2] or (meta[2] or '') ~= ARGV[3] then return 0 end
for index = 2, #KEYS do redis.call('UNLINK', KEYS[index]) end
redis.call('HSET', KEYS[2], 'version', ARGV[1], 'seq', ARGV[2], 'tip', ARGV[3], 'numbers', 0, 'from', '', 'made', 0)
return 1
