-- The few words of the Redis protocol that a gate needs, on nginx's own sockets, with kept
-- connections. Smaller and faster than a client library: it builds each command as one string and
-- reads only the reply types that can come.
local tcp = ngx.socket.tcp
local concat = table.concat

local _M = {}
local host, port

function _M.setup(redis_host, redis_port)
  host, port = redis_host, redis_port
end

-- One command as RESP.
local function encode(words)
  local parts = { "*" .. #words .. "\r\n" }
  for i = 1, #words do
    local word = tostring(words[i])
    parts[i + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  return concat(parts)
end

-- One reply. The third value is true when nothing more can be read from the socket; after an error
-- that Redis reports (`-ERR`) it is as good as before.
local function read(sock)
  local line, err = sock:receive()
  if not line then return nil, err, true end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "-" then return nil, rest end
  if kind ~= "$" then return rest end
  local length = tonumber(rest)
  if length < 0 then return false end
  local data
  data, err = sock:receive(length + 2)
  if not data then return nil, err, true end
  return data:sub(1, length)
end

-- Sends one command. Answers its reply (false for nothing), or nil and why.
function _M.call(...)
  local sock = tcp()
  sock:settimeouts(500, 500, 1000)
  local ok, err = sock:connect(host, port)
  if not ok then return nil, err end
  ok, err = sock:send(encode({ ... }))
  if not ok then return nil, err end
  local reply, why, gone = read(sock)
  if not gone then sock:setkeepalive(60000, 128) end
  return reply, why
end

return _M
