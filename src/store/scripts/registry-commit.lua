-- with listing.lua tombstones.lua
-- One administrative change, all or nothing: records, claims, references, feed entry and audit
-- event.
--
-- Redis does not undo what a failing script has written. So everything that can fail is looked at
-- first (types, versions, claims, uses, the feed's last id), and only then is anything written.
-- Being out of memory is refused before the first write and not after it; then the same comes again
-- with the flag allow-oom, within a reserve (registry/redis/full.ts).
--
-- The members (instances that were not released and not forgotten) are read in the same step: who
-- is not among them has to read the position after this change before it serves anything.
--
-- KEYS  meta, accounts, roles, teams, claims, feed, changes, members, tombstones, the eight keys of
--       the lists (listing.lua), and from 18 on those that the plan names by number
-- ARGV  the plan as JSON (registry/redis/plan.ts), the feed's length, the length of an account's
--       list of changes, the tip (a random word) of this change, the version of the lists' form,
--       the epoch of the registry that it is meant for (empty = any)
-- Answer  {'committed', seq, epoch, instance, what it says of itself, …} | {'version', label} |
--         {'claim', claim} | {'referenced', label, count} | {'empty'} | {'foreign', epoch} |
--         {'damaged', what}

local META, ACCOUNTS, ROLES, TEAMS, CLAIMS, FEED, CHANGES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local MEMBERS, TOMBSTONES = KEYS[8], KEYS[9]
local plan = cjson.decode(ARGV[1])
local feedLength, accountChangesLength, tip, listVersion = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local LISTS, FIXED = listingAt(10), 17
local served = ARGV[6]

-- The lists are not looked at: they are made anew rather than that they stop a change.
local TYPE_OF = { 'hash', 'zset', 'hash', 'hash', 'hash', 'stream', 'stream', 'hash', 'hash' }

for index, key in ipairs(KEYS) do
  local expected = TYPE_OF[index] or plan.types[index - FIXED]
  local found = expected and redis.call('TYPE', key).ok
  if expected and found ~= 'none' and found ~= expected then return { 'damaged', key } end
end

local meta = redis.call('HMGET', META, 'epoch', 'seq', 'tip', 'counts')
local epoch, before, tipBefore = meta[1], tonumber(meta[2]), meta[3] or ''
if served ~= '' and epoch ~= served then return { 'foreign', epoch } end
if not epoch then return { 'empty' } end
if not before then return { 'damaged', META } end

-- Kept beside the position, so that a list which Redis has evicted is not taken for an empty one.
local function counts()
  local accounts, roles = redis.call('ZCARD', ACCOUNTS), redis.call('HLEN', ROLES)
  return string.format('%d %d %d %d', accounts, roles, redis.call('HLEN', TEAMS), redis.call('HLEN', CLAIMS))
end
if meta[4] and meta[4] ~= counts() then return { 'damaged', 'a list of accounts, roles, teams or names' } end

-- What is asked of many is asked at once. `wordOf`: the field, or the key where `key` is false.
local function ofEach(command, key, items, wordOf)
  local found = {}
  for from = 1, #items, 1000 do
    local words = key and { key } or {}
    for index = from, math.min(from + 999, #items) do words[#words + 1] = wordOf(items[index]) end
    for _, value in ipairs(redis.call(command, unpack(words))) do found[#found + 1] = value end
  end
  return found
end

-- A record is a string of its own (accounts) or a field of a hash (roles, teams).
local strings = {}
for _, expected in ipairs(plan.expects) do
  if expected.field == '' then strings[#strings + 1] = expected end
end
local texts = ofEach('MGET', false, strings, function(expected) return KEYS[expected.key] end)
for index, expected in ipairs(strings) do expected.text = texts[index] end

for _, expected in ipairs(plan.expects) do
  local text = expected.text
  if expected.field ~= '' then text = redis.call('HGET', KEYS[expected.key], expected.field) end
  local version = 0
  if text then version = tonumber(string.match(text, '^{"version":(%d+),')) end
  if not version then return { 'damaged', expected.label } end
  if version ~= expected.version then return { 'version', expected.label } end
end

-- Nobody has come to use what was judged by its users; that none has gone, their versions say.
for _, used in ipairs(plan.users) do
  if redis.call('SCARD', KEYS[used.key]) ~= used.count then return { 'version', used.label } end
end

-- A change was computed from roles and teams as they are to be read: under the tombstones of that
-- moment.
local told = redis.call('HMGET', TOMBSTONES, '#', '@policy')
if plan.under and plan.under ~= tonumber(told[1] or '0') then
  return { 'version', plan.changes[1] and plan.changes[1].label or 'tombstones' }
end
local policies, settled = told[2] and decodedTable(told[2]) or {}, false
for _, change in ipairs(plan.changes) do
  if change.field ~= '' and policies[change.label] then
    if not plan.under then return { 'version', change.label } end
    policies[change.label], settled = nil, true
  end
end

-- What was revoked in a history that this store has lost stays revoked: a change that was computed
-- without knowing of it is computed again.
local activates = {}
for _, id in ipairs(plan.activates) do activates[id] = true end
local revives = {}
for _, id in ipairs(plan.revives) do revives[id] = true end
local raised = {}
local graves = ofEach('HMGET', TOMBSTONES, plan.changes, function(change) return change.id end)
for index, change in ipairs(plan.changes) do
  -- The name of a role or team could be the id of an account.
  local grave = change.field == '' and change.text ~= '' and graves[index]
  if grave then
    -- One that cannot be read has shut the account out; what is written shut out, or let in by its
    -- own activation, takes its place.
    local unread = { deleted = false, inactive = true, digests = {} }
    local tombstone = readTombstone(grave) or unread
    local record = cjson.decode(change.text)
    -- Brought back by somebody who was told of it. A null is truthy here and no number.
    local revived = type(record.revived) == 'number' and tombstone.seq and record.revived >= tombstone.seq
    if revived or revives[change.id] then
      raised[change.id] = ''
    else
      -- A null has no fields.
      local live = type(record.token) == 'table' and record.token.digest
      if tombstone.deleted or (live and tombstone.digests[live]) then return { 'version', change.label } end
      if tombstone == unread then raised[change.id] = '' end
      local held = tombstone.inactive or (tombstone.rights and tombstone.rights ~= change.rights)
      if held and record.status == 'active' then
        if not activates[change.id] then return { 'version', change.label } end
        tombstone.inactive, tombstone.rights = false, nil
        -- An empty table would be written as a list.
        if next(tombstone.digests) == nil then raised[change.id] = '' else raised[change.id] = cjson.encode(tombstone) end
      end
    end
  end
end

local dropped = {}
for _, claim in ipairs(plan.drop) do dropped[claim] = true end
local wanted = {}
local owners = ofEach('HMGET', CLAIMS, plan.take, function(taken) return taken.claim end)
for index, taken in ipairs(plan.take) do
  local owner = owners[index]
  if owner and owner ~= taken.owner and not dropped[taken.claim] then return { 'claim', taken.claim } end
  -- Nor by two owners in one change.
  if wanted[taken.claim] and wanted[taken.claim] ~= taken.owner then return { 'claim', taken.claim } end
  wanted[taken.claim] = taken.owner
end

-- What the uses of a target will be once this change has removed and added its own.
for _, target in ipairs(plan.unreferenced) do
  local key = KEYS[target.key]
  local count, gone, come = redis.call('SCARD', key), {}, {}
  for _, reference in ipairs(plan.remove) do
    if reference.key == target.key and not gone[reference.user] and redis.call('SISMEMBER', key, reference.user) == 1 then
      gone[reference.user] = true
      count = count - 1
    end
  end
  for _, reference in ipairs(plan.add) do
    local there = redis.call('SISMEMBER', key, reference.user) == 1 and not gone[reference.user]
    if reference.key == target.key and not there and not come[reference.user] then
      come[reference.user] = true
      count = count + 1
    end
  end
  if count > 0 then return { 'referenced', target.label, count } end
end

-- Who approves a change settles that it waits, in the same step: once, and nobody after them.
local waiting = plan.waiting
if waiting then
  local key = KEYS[waiting.key]
  for _, id in ipairs(waiting.drop) do
    if redis.call('HEXISTS', key, id) == 0 then return { 'version', 'waiting:' .. id } end
  end
  local count = redis.call('HLEN', key) - #waiting.drop + #waiting.put
  if #waiting.put > 0 and count > waiting.atMost then return { 'version', 'waiting' } end
  -- Counted here: of those who ask at once each would find that there is room.
  if #waiting.put > 0 and waiting.each then
    local gone, held = {}, 0
    local function tally(text)
      if string.find(text, waiting.each.holds, 1, true) then held = held + 1 end
    end
    for _, id in ipairs(waiting.drop) do gone[id] = true end
    local stored = redis.call('HGETALL', key)
    for at = 1, #stored, 2 do
      if not gone[stored[at]] then tally(stored[at + 1]) end
    end
    for _, one in ipairs(waiting.put) do tally(one.text) end
    if held > waiting.each.atMost then return { 'version', 'waiting' } end
  end
end

local seq = string.format('%.0f', before + 1)
local newest = redis.call('XREVRANGE', FEED, '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) > before then return { 'damaged', FEED } end

local answer = { 'committed', before + 1, epoch }
for _, word in ipairs(redis.call('HGETALL', MEMBERS)) do answer[#answer + 1] = word end

-- From here on everything is written.

if settled then
  if next(policies) == nil then
    redis.call('HDEL', TOMBSTONES, '@policy')
  else
    redis.call('HSET', TOMBSTONES, '@policy', cjson.encode(policies))
  end
  redis.call('HINCRBY', TOMBSTONES, '#', 1)
end
for id, tombstone in pairs(raised) do
  if tombstone == '' then redis.call('HDEL', TOMBSTONES, id) else redis.call('HSET', TOMBSTONES, id, tombstone) end
  redis.call('HINCRBY', TOMBSTONES, '#', 1)
end

-- The text keeps its bytes: decoding and encoding it again would turn empty lists into empty
-- objects.
local function versioned(text)
  return '{"version":' .. seq .. string.sub(text, #'{"version":0' + 1)
end

local entry, listed = { 'epoch', epoch, 'link', tipBefore .. ' ' .. tip }, {}
local written, places, gone = {}, {}, {}
for _, change in ipairs(plan.changes) do
  local text = change.text
  if text ~= '' then text = versioned(text) end
  entry[#entry + 1] = change.label
  entry[#entry + 1] = text
  if change.field == '' then
    listed[#listed + 1] = { id = change.id, entry = change.entry }
    if text == '' then
      redis.call('DEL', KEYS[change.key])
      gone[#gone + 1] = change.id
    else
      written[#written + 1] = KEYS[change.key]
      written[#written + 1] = text
      places[#places + 1] = 0
      places[#places + 1] = change.id
    end
  elseif text == '' then
    redis.call('HDEL', KEYS[change.key], change.field)
  else
    redis.call('HSET', KEYS[change.key], change.field, text)
  end
end

for from = 1, #written, 1000 do redis.call('MSET', unpack(written, from, math.min(from + 999, #written))) end
inPieces('ZREM', ACCOUNTS, gone)
inPieces('ZADD', ACCOUNTS, places)

local taken = {}
for _, one in ipairs(plan.take) do
  taken[#taken + 1] = one.claim
  taken[#taken + 1] = one.owner
end
inPieces('HDEL', CLAIMS, plan.drop)
inPieces('HSET', CLAIMS, taken)

-- Users by the target that they use.
local function refer(command, references)
  local users = {}
  for _, reference in ipairs(references) do
    users[reference.key] = users[reference.key] or {}
    table.insert(users[reference.key], reference.user)
  end
  for key, list in pairs(users) do inPieces(command, KEYS[key], list) end
end
refer('SREM', plan.remove)
refer('SADD', plan.add)

if waiting then
  for _, id in ipairs(waiting.drop) do redis.call('HDEL', KEYS[waiting.key], id) end
  for _, one in ipairs(waiting.put) do redis.call('HSET', KEYS[waiting.key], one.id, one.text) end
end

-- Lists that lack a change before this one are brought up to date by whoever asks for them.
if listsAreAt(LISTS, listVersion, string.format('%.0f', before), tipBefore) and listAll(LISTS, listed) then
  redis.call('HSET', LISTS.state, 'seq', seq, 'tip', tip)
end

redis.call('HSET', META, 'seq', seq, 'tip', tip, 'counts', counts())
-- Numbered, so that one that is taken away is missed: of which change, and which of its events.
for index, change in ipairs(plan.events) do
  redis.call('XADD', CHANGES, '*', 'e', change.event, 'n', seq .. ' ' .. index .. ' ' .. #plan.events)
  for _, key in ipairs(change.accounts) do
    redis.call('XADD', KEYS[key], 'MAXLEN', '~', accountChangesLength, '*', 'e', change.event)
  end
end
redis.call('XADD', FEED, 'MAXLEN', '~', feedLength, seq .. '-0', unpack(entry))

return answer
