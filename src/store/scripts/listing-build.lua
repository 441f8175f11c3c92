-- with listing.lua
-- Takes the next accounts into lists that are being made. An account that has changed since it was
-- read is left to whoever changed it: the change has brought it into the lists, or stands in the
-- feed from which they are brought up to date.
--
-- KEYS  state, names, marks, times, texts, rows, numbers, free, then the accounts
-- ARGV  version of the lists' form, after which account this continues, after which it is to go on
--       ('' = that was all), and the accounts as JSON: a list of { id, version as it was read,
--       entry }
-- Answer  1, or 0 when somebody else has gone on meanwhile

local at = listingAt(1)
local state = redis.call('HMGET', at.state, 'version', 'from')
if state[1] ~= ARGV[1] or state[2] ~= ARGV[2] then return 0 end

local changes = {}
for index, account in ipairs(cjson.decode(ARGV[4])) do
  local text = redis.call('GET', KEYS[8 + index])
  if text and (string.match(text, '^{"version":(%d+),') or '') == account.version then changes[#changes + 1] = account end
end
local done, fault = listAll(at, changes)
if not done then return redis.error_reply('ERR the lists cannot be made: ' .. tostring(fault)) end
redis.call('HINCRBY', at.state, 'made', #changes)
if ARGV[3] == '' then redis.call('HDEL', at.state, 'from') else redis.call('HSET', at.state, 'from', ARGV[3]) end
return 1
