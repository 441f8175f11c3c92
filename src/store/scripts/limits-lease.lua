-- Leases calls from shared token buckets: charges what instances owe, and grants of what they want
-- as much as there is.
--
-- A bucket is the key's time to live: the time that it takes to fill up again. So the one clock of
-- all instances is Redis's, a bucket that is full is no key at all, and nothing is left to clean
-- up. The value is the fraction of a millisecond by which the level is below the time to live.
--
-- KEYS  buckets, all in one slot
-- ARGV  for each: window in ms, calls per window, calls owed, calls wanted
-- Answer  for each: calls granted, level after it in ms (text)

local answer = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local window, calls, owed, wanted = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local interval = window / calls

  local level = redis.call('PTTL', key)
  if level > 0 then level = math.max(0, level - (tonumber(redis.call('GET', key)) or 0)) else level = 0 end

  level = level + owed * interval
  local granted = math.max(0, math.min(wanted, math.floor((window - level + 0.0001) / interval)))
  level = level + granted * interval

  if owed > 0 or granted > 0 then
    local life = math.max(1, math.ceil(level))
    redis.call('SET', key, string.format('%.6f', life - level), 'PX', string.format('%.0f', life))
  end
  answer[2 * i - 1] = granted
  answer[2 * i] = string.format('%.6f', level)
end
return answer
