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
  -- What is changed is kept here and written at the end (`flush`), in as few commands as can be:
  -- many accounts that come together lie beside each other.
  at.number, at.row, at.member, at.mark, at.text, at.time = {}, {}, {}, {}, {}, {}
  return at
end

-- Lua hands some thousand words to a command at most. An even number of them: they may be pairs.
local function inPieces(command, key, words)
  for from = 1, #words, 1000 do redis.call(command, key, unpack(words, from, math.min(from + 999, #words))) end
end

local function setMark(at, mark, number, on)
  local field, slot = string.format('%s:%d', mark, math.floor(number / BLOCK)), number % BLOCK
  local bits = at.mark[field]
  if not bits then
    bits = { string.byte(redis.call('HGET', at.marks, field) or NO_MARKS, 1, -1) }
    at.mark[field] = bits
  end
  local place, weight = math.floor(slot / 8) + 1, 2 ^ (slot % 8)
  local is = math.floor(bits[place] / weight) % 2 == 1
  if is ~= on then bits[place] = on and bits[place] + weight or bits[place] - weight end
end

local function timePlace(time, number)
  return (math.floor(number / BLOCK) * #TIMES + time - 1) * BLOCK * 6 + number % BLOCK * 6
end

local function getTime(at, time, number)
  local place, value = timePlace(time, number), 0
  if at.time[place] then return at.time[place] end
  local bytes = redis.call('GETRANGE', at.times, place, place + 5)
  for index = 1, #bytes do value = value * 256 + string.byte(bytes, index) end
  return value
end

-- `isNew`: the number was nobody's before, and all its times are 0.
local function setTime(at, time, number, value, isNew)
  local place = timePlace(time, number)
  if isNew and value == 0 and not at.time[place] then return end
  if isNew or getTime(at, time, number) ~= value then at.time[place] = value end
end

-- The place is written in control characters, which no text holds and nobody searches for.
local function setText(at, kind, number, text, isNew)
  if isNew and text == '' then return end
  local slot = number % TEXT_BLOCK
  local field = string.format('%s:%d', kind, math.floor(number / TEXT_BLOCK))
  local kept = at.text[field]
  if not kept then
    kept = { redis.call('HGET', at.texts, field) or '' }
    at.text[field] = kept
  end
  local line = '\n' .. string.char(16 + math.floor(slot / 16), 16 + slot % 16)
  if not isNew then
    local lines = table.concat(kept)
    local from, after = string.find(lines, line, 1, true)
    if from then
      local to = string.find(lines, '\n', after, true) or #lines + 1
      if string.sub(lines, after + 1, to - 1) == text then return end
      kept = { string.sub(lines, 1, from - 1) .. string.sub(lines, to) }
      at.text[field] = kept
    elseif text == '' then
      return
    end
  end
  kept.changed = true
  if text ~= '' then kept[#kept + 1] = line .. text end
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

-- One that was given back, or the next.
local function newNumber(at)
  local free = not at.next and redis.call('RPOP', at.free)
  if free then return tonumber(free) end
  at.next = (at.next or tonumber(redis.call('HGET', at.state, 'numbers') or '0')) + 1
  return at.next - 1
end

-- `entry`: row (JSON), times, description, and what is known of the token's last use; nil takes the
-- account out of the lists.
local function list(at, id, entry)
  local number = at.number[id]
  if not number and not entry then return end
  local isNew = not number
  local old = number and cjson.decode(at.row[number] or redis.call('HGET', at.rows, number))
  local new = entry and cjson.decode(entry.row)
  number = number or newNumber(at)
  local had, was = membersOf(old, number)
  local has, is = membersOf(new, number)
  for member in pairs(had) do if not has[member] then at.member[member] = false end end
  for member in pairs(has) do if not had[member] then at.member[member] = true end end
  for mark in pairs(was) do if not is[mark] then setMark(at, mark, number, false) end end
  for mark in pairs(is) do if not was[mark] then setMark(at, mark, number, true) end end
  for time = 1, USED - 1 do setTime(at, time, number, entry and entry.times[time] or 0, isNew) end
  local used = entry and entry.used or 0
  -- What is known is the last use of the live token.
  if old and new and old[3] == new[3] then used = math.max(used, getTime(at, USED, number)) end
  setTime(at, USED, number, used, isNew)
  setText(at, 'n', number, new and string.match(new[2], '^[^ ]*') or '', isNew)
  setText(at, 'd', number, entry and entry.description or '', isNew)
  at.number[id] = new and number or false
  at.row[number] = new and entry.row or false
  if not new then redis.call('RPUSH', at.free, number) end
end

local function flushTimes(at)
  local places, known = {}, {}
  for place in pairs(at.time) do places[#places + 1] = place end
  table.sort(places)
  local from, bytes, after = nil, {}, nil
  local function write()
    if from then redis.call('SETRANGE', at.times, from, table.concat(bytes)) end
  end
  for _, place in ipairs(places) do
    if place ~= after then
      write()
      from, bytes = place, {}
    end
    local value = at.time[place]
    -- Many have the same one.
    if not known[value] then
      local rest, letters = value, {}
      for index = 6, 1, -1 do
        letters[index] = string.char(rest % 256)
        rest = math.floor(rest / 256)
      end
      known[value] = table.concat(letters)
    end
    bytes[#bytes + 1], after = known[value], place + 6
  end
  write()
end

-- `values`: false = the field is no more.
local function flushHash(key, values)
  local set, gone = {}, {}
  for field, value in pairs(values) do
    if value then
      set[#set + 1] = field
      set[#set + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  inPieces('HDEL', key, gone)
  inPieces('HSET', key, set)
end

local function flushNames(at)
  local come, gone = {}, {}
  for member, isThere in pairs(at.member) do
    if isThere then
      come[#come + 1] = 0
      come[#come + 1] = member
    else
      gone[#gone + 1] = member
    end
  end
  inPieces('ZREM', at.names, gone)
  inPieces('ZADD', at.names, come)
end

local function flush(at)
  flushNames(at)
  flushTimes(at)
  local marks, texts = {}, {}
  for field, bits in pairs(at.mark) do
    local text = string.char(unpack(bits))
    marks[field] = text ~= NO_MARKS and text
  end
  for field, kept in pairs(at.text) do
    local lines = table.concat(kept)
    if kept.changed then texts[field] = lines ~= '' and lines end
  end
  flushHash(at.marks, marks)
  flushHash(at.texts, texts)
  flushHash(at.numbers, at.number)
  flushHash(at.rows, at.row)
  if at.next then redis.call('HSET', at.state, 'numbers', at.next) end
end

-- The numbers of those that have one.
local function findNumbers(at, changes)
  for from = 1, #changes, 1000 do
    local ids = {}
    for index = from, math.min(from + 999, #changes) do ids[#ids + 1] = changes[index].id end
    for index, number in ipairs(redis.call('HMGET', at.numbers, unpack(ids))) do
      at.number[ids[index]] = number and tonumber(number)
    end
  end
end

-- What stands in the way of keeping the lists must never stand in the way of the change itself:
-- they are made anew instead.
local function listAll(at, changes)
  local done, fault = pcall(function()
    findNumbers(at, changes)
    for _, change in ipairs(changes) do list(at, change.id, change.entry) end
    flush(at)
  end)
  if not done then redis.call('DEL', at.state) end
  return done, fault
end

-- Whether everything up to that change is in the lists, in the form that the caller knows.
local function listsAreAt(at, version, seq, tip)
  local found = redis.pcall('HMGET', at.state, 'version', 'seq', 'tip')
  return not found.err and found[1] == version and found[2] == seq and found[3] == tip
end
