-- Adds events to one account's activity log, which is a capped copy of part of the audit streams.
--
-- KEYS  stream
-- ARGV  events (one a line), longest stream, life of the whole log without a new event in ms

for event in string.gmatch(ARGV[1], '[^\n]+') do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'e', event)
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
