-- Tells a store that has lost changes what was revoked by them. What others have told already stays: digests and deletions add up, the earlier end counts.
--
-- Runs with the rights of the gate, on this one key. It can only shut out, never let in.
--
-- KEYS  tombstones
-- ARGV  the tombstones as a JSON list, how many accounts may have one
-- Answer  the number of this state of the tombstones, or -1 when there is no room

local TOMBSTONES = KEYS[1]
local told, most = cjson.decode(ARGV[1]), tonumber(ARGV[2])

local changed = false
for _, tombstone in ipairs(told) do
  local text = redis.call('HGET', TOMBSTONES, tombstone.account)
  if not text and redis.call('HLEN', TOMBSTONES) > most then return -1 end
  local known = text and cjson.decode(text) or { deleted = false, inactive = false, digests = {} }
  known.deleted = known.deleted or tombstone.deleted
  known.inactive = known.inactive or tombstone.inactive
  -- Who has seen different things cannot say which came last.
  if tombstone.rights then
    local same = not known.rights or known.rights == tombstone.rights
    known.rights = same and tombstone.rights or '*'
  end
  -- As of the later change; of an instance that does not say, nobody knows.
  if not text then
    known.seq = tombstone.seq
  else
    known.seq = known.seq and tombstone.seq and math.max(known.seq, tombstone.seq)
  end
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

if changed then return redis.call('HINCRBY', TOMBSTONES, '#', 1) end
return tonumber(redis.call('HGET', TOMBSTONES, '#') or '0')
