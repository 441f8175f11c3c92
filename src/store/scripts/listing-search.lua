-- Searches the texts of some accounts.
--
-- KEYS  texts
-- ARGV  what is searched, in lower case; first and last block; 1 = names only, and at their
--       beginning
-- Answer  for each kind of text and block in which it was found: block, then the places of the
--         accounts in it, two letters each, as they begin their lines

local TEXTS, needle, isPrefix = KEYS[1], ARGV[1], ARGV[4] == '1'
local first, last = tonumber(ARGV[2]), tonumber(ARGV[3])
local find, sub = string.find, string.sub

-- The places of the lines that hold it, each as the two letters that begin its line. Goes from one
-- find to the next, and not from line to line: whoever searches mostly finds few.
local function placesIn(lines)
  local places, count, line = {}, 0, 1
  local at = find(lines, needle, 1, true)
  while at do
    local next = find(lines, '\n', line + 1, true)
    while next and next < at do line, next = next, find(lines, '\n', next + 1, true) end
    -- An empty one is found before the place.
    if not isPrefix or at <= line + 3 then
      count = count + 1
      places[count] = sub(lines, line + 1, line + 2)
    end
    if not next then break end
    line, at = next, find(lines, needle, next, true)
  end
  return table.concat(places)
end

local found = {}
for _, kind in ipairs(isPrefix and { 'n' } or { 'n', 'd' }) do
  local fields = {}
  for block = first, last do fields[#fields + 1] = kind .. ':' .. block end
  for index, lines in ipairs(redis.call('HMGET', TEXTS, unpack(fields))) do
    local places = lines and placesIn(lines) or ''
    if places ~= '' then
      found[#found + 1] = first + index - 1
      found[#found + 1] = places
    end
  end
end
return found
