-- with tombstones.lua
-- Tells a store that has lost changes what was revoked by them. What others have told already
-- stays: digests and deletions add up, the earlier end counts.
-- Of roles and teams everything is kept that anybody has seen: who reads takes what all of it
-- allows.
--
-- Runs with the rights of the gate, on this one key. It can only shut out, never let in.
--
-- KEYS  tombstones
-- ARGV  the tombstones as a JSON list, how many accounts may have one, how many roles and teams,
--       how many things may have been seen of each
-- Answer  the number of this state of the tombstones, or -1 when there is no room

local TOMBSTONES = KEYS[1]
local told, most, mostPolicies, mostSeen = cjson.decode(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local accounts, policies = {}, {}
for _, tombstone in ipairs(told) do
  local list = tombstone.policy and policies or accounts
  list[#list + 1] = tombstone
end

-- As of the later change; of an instance that does not say, nobody knows.
local function asOf(known, tombstone)
  return known.seq and tombstone.seq and math.max(known.seq, tombstone.seq)
end

local changed, full = false, false

-- Past the limit as if it had been deleted, which takes everything away.
local function see(one, words)
  for _, other in ipairs(one.seen) do if other == words then return end end
  if #one.seen > mostSeen then return end
  one.seen[#one.seen + 1] = #one.seen < mostSeen and words or ''
  changed = true
end

-- Roles and teams, all in one field: they are read together.
if #policies > 0 then
  local text = redis.call('HGET', TOMBSTONES, '@policy')
  local known, count = not text and {} or decodedTable(text), 0
  -- What cannot be read is left as it is: nobody is let in by it. It has no room for more.
  for _, one in pairs(known or {}) do
    count = count + 1
    if type(one) ~= 'table' or type(one.seen) ~= 'table' then known = nil end
  end
  if not known then full = true end
  for _, tombstone in ipairs(known and policies or {}) do
    local one = known[tombstone.policy]
    if one then
      local seq = asOf(one, tombstone)
      if seq ~= one.seq then one.seq, changed = seq, true end
      for _, words in ipairs(tombstone.seen) do see(one, words) end
    elseif count < mostPolicies then
      known[tombstone.policy] = { seen = tombstone.seen, seq = tombstone.seq }
      count, changed = count + 1, true
    else
      full = true
    end
  end
  if changed then redis.call('HSET', TOMBSTONES, '@policy', cjson.encode(known)) end
end

local function tellAccount(tombstone)
  local text = redis.call('HGET', TOMBSTONES, tombstone.account)
  if not text and redis.call('HLEN', TOMBSTONES) > most then full = true return end
  -- One that cannot be read has shut the account out.
  local known = text and readTombstone(text) or { deleted = false, inactive = text ~= false, digests = {} }
  known.deleted = known.deleted or tombstone.deleted
  known.inactive = known.inactive or tombstone.inactive
  -- Who has seen different things cannot say which came last.
  if tombstone.rights then
    local same = not known.rights or known.rights == tombstone.rights
    known.rights = same and tombstone.rights or '*'
  end
  if not text then known.seq = tombstone.seq else known.seq = asOf(known, tombstone) end
  for digest, from in pairs(tombstone.digests) do
    known.digests[digest] = math.min(known.digests[digest] or from, from)
  end
  local digests = {}
  for digest, from in pairs(known.digests) do digests[#digests + 1] = string.format('"%s":%.0f', digest, from) end
  table.sort(digests)
  local now = string.format(
    '{"deleted":%s,"inactive":%s,%s%s"digests":{%s}}',
    tostring(known.deleted),
    tostring(known.inactive),
    known.rights and string.format('"rights":%s,', cjson.encode(known.rights)) or '',
    known.seq and string.format('"seq":%.0f,', known.seq) or '',
    table.concat(digests, ',')
  )
  if now ~= text then
    redis.call('HSET', TOMBSTONES, tombstone.account, now)
    changed = true
  end
end
for _, tombstone in ipairs(accounts) do tellAccount(tombstone) end

-- What found room counts, and whoever reads must notice it.
if changed then redis.call('HINCRBY', TOMBSTONES, '#', 1) end
if full then return -1 end
return tonumber(redis.call('HGET', TOMBSTONES, '#') or '0')
