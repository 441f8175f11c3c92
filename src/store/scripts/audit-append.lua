-- Appends one instance's batch of audit events to its partition, each event once however often the batch is sent.
--
-- Redis does not undo what a failing script has written, so whatever can fail is looked at before the first write. The last
-- number is written at the end: a batch that broke off half-way would be sent again and doubled rather than lost.
--
-- KEYS  stream, last number held (string), both in one slot
-- ARGV  number of the first event, events (one a line), life of the number in ms, oldest id to keep (0 = no
--       trimming now), longest stream (0 = no limit)
-- Answer  number of events that were new

local STREAM, LAST = KEYS[1], KEYS[2]
local first, minId, maxLength = tonumber(ARGV[1]), ARGV[4], tonumber(ARGV[5])

local found = redis.call('TYPE', STREAM).ok
if found ~= 'none' and found ~= 'stream' then return redis.error_reply('WRONGTYPE the audit stream is a ' .. found) end
local last = tonumber(redis.call('GET', LAST) or '0')
if not last then return redis.error_reply('WRONGTYPE the last audit number is no number') end

local seq, added = first, 0
for event in string.gmatch(ARGV[2], '[^\n]+') do
  if seq > last then
    redis.call('XADD', STREAM, '*', 'e', event)
    added = added + 1
  end
  seq = seq + 1
end
if seq - 1 > last then redis.call('SET', LAST, string.format('%.0f', seq - 1), 'PX', ARGV[3]) end

-- Approximate: whole nodes of the stream go, which costs next to nothing.
if minId ~= '0' then redis.call('XTRIM', STREAM, 'MINID', '~', minId) end
if maxLength > 0 then redis.call('XTRIM', STREAM, 'MAXLEN', '~', maxLength) end
return added
