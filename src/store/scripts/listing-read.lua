-- Marks and times of some accounts, all of one moment.
--
-- KEYS  marks, times
-- ARGV  first and last block, how many marks are named, these marks, and the times by their number
--       (from 1)
-- Answer  for each mark, then for each time: one text or nothing (all zero) for each block

local BLOCK, TIMES = 1024, 5
local first, last, marks = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answer = {}
for index = 4, #ARGV do
  if index < 4 + marks then
    local fields = {}
    for block = first, last do fields[#fields + 1] = ARGV[index] .. ':' .. block end
    for _, bits in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do answer[#answer + 1] = bits or '' end
  else
    for block = first, last do
      local from = (block * TIMES + tonumber(ARGV[index]) - 1) * BLOCK * 6
      answer[#answer + 1] = redis.call('GETRANGE', KEYS[2], from, from + BLOCK * 6 - 1)
    end
  end
end
return answer
