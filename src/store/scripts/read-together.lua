-- Reads that belong together: all of one moment. (A transaction would do, but a full Redis takes
-- none, not even one that only reads.)
--
-- KEYS  every key that is read
-- ARGV  the commands as JSON: a list of lists of words
-- Answer  a list of their replies

local replies = {}
for index, command in ipairs(cjson.decode(ARGV[1])) do
  replies[index] = redis.call(unpack(command))
end
return replies
