-- Counts one try in several counts or in none, or takes it back.
--
-- A count is the key's time to live, as it is for limits-lease.lua: one clock for all instances,
-- and nothing to clean up.
--
-- KEYS  counts, all in one slot
-- ARGV  for each: what the try costs in ms (below 0: so much is taken back), the most in ms
-- Answer  ms to wait (0 = counted), ms that the next one would have to wait

local wait, after, levels = 0, 0, {}
for i, key in ipairs(KEYS) do
  local cost, most = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local level = math.min(most, math.max(0, redis.call('PTTL', key)))
  levels[i] = level + cost
  if cost > 0 then
    wait = math.max(wait, levels[i] - most)
    after = math.max(after, levels[i] + cost - most)
  end
end
if wait > 0 then return { wait, wait } end

for i, key in ipairs(KEYS) do
  if levels[i] > 0 then redis.call('SET', key, '', 'PX', levels[i]) else redis.call('DEL', key) end
end
return { 0, after }
