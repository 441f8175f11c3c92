-- Writes epoch and first roles into an empty store. Without arguments nothing is written: whoever
-- may not write these keys may not even ask.
--
-- KEYS  meta, accounts, roles, teams, claims, feed, tombstones, changes
-- ARGV  schema, epoch, tip, the change event (empty: none), then name and record of each role
-- Answer  {'written'} | {'present'} | {'asked'} | {'damaged', what}

local META, ACCOUNTS, ROLES, TEAMS, CLAIMS, FEED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local TOMBSTONES, CHANGES = KEYS[7], KEYS[8]

if #ARGV == 0 then return { 'asked' } end

if redis.call('EXISTS', META) == 1 then return { 'present' } end

-- Records without the position that they belong to: what is left of a registry that somebody tore
-- apart. Beginning a new history over it would bring back whatever it still holds.
if redis.call('EXISTS', ACCOUNTS, ROLES, TEAMS, CLAIMS) > 0 then return { 'damaged', META } end

redis.call('DEL', FEED, TOMBSTONES)
local entry = { 'epoch', ARGV[2], 'link', ' ' .. ARGV[3] }
for index = 5, #ARGV, 2 do
  local text = '{"version":1' .. string.sub(ARGV[index + 1], #'{"version":0' + 1)
  redis.call('HSET', ROLES, ARGV[index], text)
  entry[#entry + 1] = 'role:' .. ARGV[index]
  entry[#entry + 1] = text
end
redis.call('XADD', FEED, '1-0', unpack(entry))
if ARGV[4] ~= '' then redis.call('XADD', CHANGES, '*', 'e', ARGV[4], 'n', '1 1 1') end
local counts = string.format('0 %d 0 0', redis.call('HLEN', ROLES))
redis.call('HSET', META, 'schema', ARGV[1], 'epoch', ARGV[2], 'seq', 1, 'tip', ARGV[3], 'counts', counts)
return { 'written' }
