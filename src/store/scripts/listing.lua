-- What the lists of accounts are made from, kept by every script that changes an account. Not a
-- script of its own: others begin with it.
--
-- Each account has a number as long as it lives (numbers are used again, so they stay dense). By
-- number there are
--   marks  hash, `MARK:BLOCK` -> 1024 bits: who is a service account (s), a user (u), unreadable
--          (d), inactive (i), a bait (h), has a role (r:NAME), a team (t:NAME)
--   times  string, blocks of 1024 accounts: for each of TIMES 1024 numbers of 6 bytes,
--          milliseconds, most significant first; 0 = none
--   texts  hash, `n:BLOCK` names and `d:BLOCK` descriptions of 128 accounts, in lower case: lines
--          of two letters for the place and the text
--   rows   hash, number -> row; and the hash `numbers`, id -> number
-- So a list of a million accounts is narrowed by reading some megabytes at most, and a change
-- touches a few bytes of them.
-- `names` is one sorted set of `LIST \t KEY \t NUMBER`: each list in the order of its names.
-- `state` says up to which change all that is kept.

local BLOCK, TEXT_BLOCK = 1024, 128
local NO_MARKS = string.rep('\0', BLOCK / 8)
local TIMES = { 'created', 'updated', 'expires', 'token', 'used' }
local USED = 5

local function listingAt(first)
  local at = {}
  for index, name in ipairs({ 'state', 'names', 'marks', 'times', 'texts', 'rows', 'numbers', 'free' }) do at[name] = KEYS[first + index - 1] end
  return at
end

local function setMark(at, mark, number, on)
  local field, slot = string.format('%s:%d', mark, math.floor(number / BLOCK)), number % BLOCK
  local bits = redis.call('HGET', at.marks, field) or NO_MARKS
  local place, weight = math.floor(slot / 8) + 1, 2 ^ (slot % 8)
  local byte = string.byte(bits, place)
  local is = math.floor(byte / weight) % 2 == 1
  if is == on then return end
  byte = on and byte + weight or byte - weight
  bits = string.sub(bits, 1, place - 1) .. string.char(byte) .. string.sub(bits, place + 1)
  if bits == NO_MARKS then redis.call('HDEL', at.marks, field) else redis.call('HSET', at.marks, field, bits) end
end

local function timePlace(time, number)
  return (math.floor(number / BLOCK) * #TIMES + time - 1) * BLOCK * 6 + number % BLOCK * 6
end

local function getTime(at, time, number)
  local place, value = timePlace(time, number), 0
  local bytes = redis.call('GETRANGE', at.times, place, place + 5)
  for index = 1, #bytes do value = value * 256 + string.byte(bytes, index) end
  return value
end

local function setTime(at, time, number, value)
  if getTime(at, time, number) == value then return end
  local bytes = {}
  for index = 6, 1, -1 do
    bytes[index] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  redis.call('SETRANGE', at.times, timePlace(time, number), table.concat(bytes))
end

-- The place is written in control characters, which no text holds and nobody searches for.
local function setText(at, kind, number, text)
  local slot = number % TEXT_BLOCK
  local field = string.format('%s:%d', kind, math.floor(number / TEXT_BLOCK))
  local line = '\n' .. string.char(16 + math.floor(slot / 16), 16 + slot % 16)
  local lines = redis.call('HGET', at.texts, field) or ''
  local from, after = string.find(lines, line, 1, true)
  if from then
    local to = string.find(lines, '\n', after, true) or #lines + 1
    if string.sub(lines, after + 1, to - 1) == text then return end
    lines = string.sub(lines, 1, from - 1) .. string.sub(lines, to)
  elseif text == '' then
    return
  end
  if text ~= '' then lines = lines .. line .. text end
  if lines == '' then redis.call('HDEL', at.texts, field) else redis.call('HSET', at.texts, field, lines) end
end

-- The lists that an account is in, and the marks that it has, by its row: id, name's key, token,
-- kind, role, and further marks.
local function membersOf(row, number)
  local members, marks = {}, {}
  if not row then return members, marks end
  local _, name, _, kind, role = unpack(row)
  marks[kind] = true
  members[string.format('%s\t%s\t%d', kind, name, number)] = true
  members[string.format('%s =\t%s %s\t%d', kind, role, name, number)] = true
  for index = 6, #row do
    local mark = row[index]
    marks[mark] = true
    if mark ~= 'i' then members[string.format('%s %s\t%s\t%d', kind, mark, name, number)] = true end
  end
  return members, marks
end

-- `entry`: row (JSON), times, description, and what is known of the token's last use; nil takes the
-- account out of the lists.
local function list(at, id, entry)
  local number = redis.call('HGET', at.numbers, id)
  if not number and not entry then return end
  local old = number and cjson.decode(redis.call('HGET', at.rows, number))
  local new = entry and cjson.decode(entry.row)
  number = tonumber(number or redis.call('RPOP', at.free) or redis.call('HINCRBY', at.state, 'numbers', 1) - 1)
  local had, was = membersOf(old, number)
  local has, is = membersOf(new, number)
  for member in pairs(had) do if not has[member] then redis.call('ZREM', at.names, member) end end
  for member in pairs(has) do if not had[member] then redis.call('ZADD', at.names, 0, member) end end
  for mark in pairs(was) do if not is[mark] then setMark(at, mark, number, false) end end
  for mark in pairs(is) do if not was[mark] then setMark(at, mark, number, true) end end
  for time = 1, USED - 1 do setTime(at, time, number, entry and entry.times[time] or 0) end
  local used = entry and entry.used or 0
  -- What is known is the last use of the live token.
  if old and new and old[3] == new[3] then used = math.max(used, getTime(at, USED, number)) end
  setTime(at, USED, number, used)
  setText(at, 'n', number, new and string.match(new[2], '^[^ ]*') or '')
  setText(at, 'd', number, entry and entry.description or '')
  if new then
    redis.call('HSET', at.numbers, id, number)
    redis.call('HSET', at.rows, number, entry.row)
  else
    redis.call('HDEL', at.numbers, id)
    redis.call('HDEL', at.rows, number)
    redis.call('RPUSH', at.free, number)
  end
end

-- What stands in the way of keeping the lists must never stand in the way of the change itself:
-- they are made anew instead.
local function listAll(at, changes)
  local done, fault = pcall(function()
    for _, change in ipairs(changes) do list(at, change.id, change.entry) end
  end)
  if not done then redis.call('DEL', at.state) end
  return done, fault
end

-- Whether everything up to that change is in the lists, in the form that the caller knows.
local function listsAreAt(at, version, seq, tip)
  local found = redis.pcall('HMGET', at.state, 'version', 'seq', 'tip')
  return not found.err and found[1] == version and found[2] == seq and found[3] == tip
end
