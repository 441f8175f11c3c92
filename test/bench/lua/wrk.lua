-- The clients. Arguments: METHOD BODY_BYTES RATE FILE. RATE 0: as fast as the answers come; else so
-- many requests a second over all connections, by one timetable: a request that is late is sent at
-- once, and the timetable does not wait for it. FILE: one value of `Authorization` per line, taken
-- in turn; an empty line sends none. METHOD `whole`: FILE holds whole requests instead, each ended
-- by a byte 0.
local ffi = require "ffi"
ffi.cdef [[
typedef struct { long seconds; long nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]]
local MONOTONIC = 1
local time = ffi.new("bench_time")

local function now_ms()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

local function read_values(path)
  local values = {}
  for line in io.lines(path) do values[#values + 1] = line end
  return values
end

local function read_requests(path)
  local file = assert(io.open(path, "rb"))
  local requests = {}
  for text in file:read("*a"):gmatch("(%Z+)%z") do requests[#requests + 1] = text end
  file:close()
  return requests
end

-- By then all connections stand: what 64 handshakes at once take is no latency of requests.
local BEGIN_MS = 1000

local function keep_rate(rate)
  local step_ms, slot_ms = 1000 / rate, now_ms() + BEGIN_MS
  function delay()
    local at = now_ms()
    slot_ms = slot_ms + step_ms
    return slot_ms > at and math.floor(slot_ms - at + 0.5) or 0
  end
end

local function requests_with(method, body_bytes, values)
  wrk.method = method
  if body_bytes > 0 then
    wrk.body = string.rep("x", body_bytes)
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
  local requests = {}
  for i, value in ipairs(values) do
    wrk.headers["Authorization"] = value ~= "" and value or nil
    requests[i] = wrk.format()
  end
  return requests
end

function init(args)
  local method, rate = args[1], tonumber(args[3])
  local requests = method == "whole" and read_requests(args[4])
    or requests_with(method, tonumber(args[2]), read_values(args[4]))
  -- A request that is always the same is best left to wrk, which then runs no Lua for it.
  if #requests > 1 then
    local at = 0
    function request()
      at = at % #requests + 1
      return requests[at]
    end
  end
  if rate > 0 then keep_rate(rate) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"connectErrors":%d,"readErrors":%d,"writeErrors":%d,"statusErrors":%d,"timeouts":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
