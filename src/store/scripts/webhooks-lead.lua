-- Takes a lease, or renews it, for whoever has it or comes first.
--
-- KEYS  lease
-- ARGV  who asks, for how long in ms (0 = it is given back)
-- Answer  1: whoever asks has it, or had it and gave it back; 0: another one has it

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
