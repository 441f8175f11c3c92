-- Appends one instance's batch of audit events to its partition, each event once however often the
-- batch is sent, and copies events into the activity logs of their accounts where those are in the
-- same slot (everywhere but on a Cluster).
--
-- Redis does not undo what a failing script has written, so whatever can fail is looked at before
-- the first write; a copy that fails is only counted. The last number is written at the end: a
-- batch that broke off half-way would be sent again and doubled rather than lost.
--
-- Redis refuses it at its first addition when memory is full, so the record never takes what is
-- left beyond maxmemory.
-- Trimming is not done here: it would be refused together with the additions that need it
-- (audit/log/redis/retention.ts).
--
-- A batch has a thousand events at most, so the script makes no more than two thousand additions.
-- Copies into a thousand activity logs make it run about a third longer than none.
--
-- With the events it keeps the instance's notes of permits without an outcome, as of the last of
-- them: so that whoever closes what an instance left open need not read the record. Notes that
-- cannot be written do not hold up the record either.
-- With notes that take the place of all others the instance is listed, in the same step: it may
-- end before it could say for the first time that it lives, and nobody looks at what one left open
-- that is not listed. For a moment it counts as living, until it says so itself.
--
-- An instance numbers its events one by one. Where the last number held is not the one before the
-- first of a batch, events are missing that were here: then nothing is written, and the writer is
-- told what is the last that is here, if it wants to know. A batch without events asks just that.
--
-- KEYS  stream, last number held (string), notes of open permits (string), with notes that take the
--       place of all others also all instances (hash) and whether this one lives (string), all in
--       one slot; then, where there are any, the accounts that have an activity log (sorted set, by
--       the time of the last copy) and activity logs (streams), whose names end in the id of their
--       account
-- ARGV  number of the first event, events (one a line), life of the notes in ms, notes, 1 = they
--       take the place of those there are, life of the last number in ms (0 = without end: the
--       instance is listed, and whoever takes it off the list sets an end), 1 = missing events are
--       told, instance and how long it counts as living in ms (or two empty words); with activity
--       logs also: two bytes for each event (n = it is copied into the n-th of them, 0 = into none),
--       longest activity log, life of one without a new event in ms, the time in ms since 1970
-- Answer  number of copies that could not be made; -1 - the last number held: events are missing

local STREAM, LAST, OPEN = KEYS[1], KEYS[2], KEYS[3]
local first = tonumber(ARGV[1])
local notes, anew = ARGV[4], ARGV[5] == '1'
local lastLifeMs, tells = ARGV[6], ARGV[7] == '1'
local INSTANCES, ALIVE, ACTIVITY = anew and KEYS[4], anew and KEYS[5], anew and 6 or 4
local instance, aliveMs = ARGV[8], ARGV[9]
local marks, longest, lifeMs, now = ARGV[10] or '', ARGV[11], ARGV[12], ARGV[13]

local found = redis.call('TYPE', STREAM).ok
if found ~= 'none' and found ~= 'stream' then return redis.error_reply('WRONGTYPE the audit stream is a ' .. found) end
local last = tonumber(redis.call('GET', LAST) or '0')
if not last then return redis.error_reply('WRONGTYPE the last audit number is no number') end
if tells and last + 1 < first then return -1 - last end

-- Few notices come, and nobody can make them come: so many stay, however short room is for the logs
-- of accounts (their name: audit/event/notice-event.ts).
local NOTICES_LEAST = 1000
local function mostIn(key)
  if string.sub(key, -8) ~= ':notices' then return longest end
  return math.max(tonumber(longest), NOTICES_LEAST)
end

local copied, lost = {}, 0
local function copy(place, event)
  local high, low = string.byte(marks, 2 * place - 1, 2 * place)
  local number = low and 256 * high + low or 0
  if number == 0 then return end
  local key = KEYS[ACTIVITY + number]
  local done = redis.pcall('XADD', key, 'MAXLEN', '~', mostIn(key), '*', 'e', event)
  if type(done) == 'table' and done.err then lost = lost + 1 else copied[key] = true end
end

-- In this order: who is listed lives.
local function list()
  local lives = redis.pcall('SET', ALIVE, '1', 'NX', 'PX', aliveMs)
  if type(lives) == 'table' and lives.err then return end
  redis.pcall('HSET', INSTANCES, instance, '1')
end

local place = 0
for event in string.gmatch(ARGV[2], '[^\n]+') do
  if first + place > last then
    redis.call('XADD', STREAM, '*', 'e', event)
    copy(place + 1, event)
  end
  place = place + 1
end
local newest = first + place - 1
if newest > last then
  if anew then
    redis.pcall('SET', OPEN, notes, 'PX', ARGV[3])
    list()
  elseif notes ~= '' and redis.pcall('APPEND', OPEN, notes) == #notes then
    redis.pcall('PEXPIRE', OPEN, ARGV[3])
  end
  if lastLifeMs == '0' then
    redis.call('SET', LAST, string.format('%.0f', newest))
  else
    redis.call('SET', LAST, string.format('%.0f', newest), 'PX', lastLifeMs)
  end
elseif place == 0 and last > 0 and lastLifeMs == '0' then
  redis.call('SET', LAST, string.format('%.0f', last))
end
local touched = { 'ZADD', KEYS[ACTIVITY] }
for key in pairs(copied) do
  redis.pcall('PEXPIRE', key, lifeMs)
  touched[#touched + 1] = now
  touched[#touched + 1] = string.match(key, '[^:]*$')
end
if #touched > 2 then redis.pcall(unpack(touched)) end
return lost
