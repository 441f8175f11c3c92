-- The gate of the peer nginx-lua: no cache, no batch. One script per request looks the token up and
-- records the call, in one round trip.
local redis = require "redis"
local token = require "token"
local var, json, now = ngx.var, token.json, ngx.now

local _M = {}

local CHECK = [[
local account = redis.call('GET', KEYS[1])
local id = account and string.match(account, '^[^|]*') or ''
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000000, '*', 'e', ARGV[1] .. id .. '"}')
return account]]
local check_sha

local function check(digest, line)
  if not check_sha then check_sha = redis.call("SCRIPT", "LOAD", CHECK) end
  return redis.call("EVALSHA", check_sha, 2, "bench:token:" .. token.to_hex(digest), "bench:stream", line)
end

function _M.access()
  local presented = token.presented(var.http_authorization)
  if not presented then return token.refuse(401, "token-missing") end
  local line = '{"id":"' .. var.request_id .. '","time":' .. now() .. ',"method":"' .. var.request_method .. '","path":' .. json(var.uri)
    .. ',"clientAddress":"' .. var.remote_addr .. '","userAgent":' .. json(var.http_user_agent) .. ',"account":"'
  local account, err = check(token.digest(presented), line)
  if account == nil then
    ngx.log(ngx.ERR, "redis: ", err)
    return token.refuse(503, "registry-unavailable")
  end
  if not account then return token.refuse(401, "token-unknown") end
  local id, name, role, teams = account:match("^([^|]*)|([^|]*)|([^|]*)|([^|]*)$")
  var.account_id, var.account_name, var.account_role, var.account_teams = id, name, role, teams
end

return _M
