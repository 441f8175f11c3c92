-- One small write that must not fail for want of memory: a lease, a membership, an acknowledgement.
--
-- Loaded with the flag allow-oom. The user needs the right to the command itself as well.
--
-- KEYS  the key that is written
-- ARGV  the command and its words after the key

return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
