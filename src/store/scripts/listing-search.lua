-- Searches the texts of some accounts.
--
-- KEYS  texts
-- ARGV  what is searched, in lower case; first and last block; 1 = names only, and at their
--       beginning
-- Answer  for each kind of text and block in which it was found: block, then the places of the
--         accounts in it as bytes

local TEXTS, needle, isPrefix = KEYS[1], ARGV[1], ARGV[4] == '1'
local first, last = tonumber(ARGV[2]), tonumber(ARGV[3])
local found = {}
for _, kind in ipairs(isPrefix and { 'n' } or { 'n', 'd' }) do
  local fields = {}
  for block = first, last do fields[#fields + 1] = kind .. ':' .. block end
  for index, lines in ipairs(redis.call('HMGET', TEXTS, unpack(fields))) do
    if lines and string.find(lines, needle, 1, true) then
      local places = {}
      for high, low, text in string.gmatch(lines, '\n([\16-\31])([\16-\31])([^\n]*)') do
        local place = string.find(text, needle, 1, true)
        if place == 1 or (place and not isPrefix) then
          places[#places + 1] = string.char((string.byte(high) - 16) * 16 + string.byte(low) - 16)
        end
      end
      found[#found + 1] = first + index - 1
      found[#found + 1] = table.concat(places)
    end
  end
end
return found
