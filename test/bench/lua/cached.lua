-- The gate of the peer nginx-lua-cached. A token is looked up in the worker's own cache (Lua
-- objects, no copying), then in the shared dictionary of all workers, then in Redis. Records are
-- gathered in the worker and written 50 times a second, a whole batch with one command.
local redis = require "redis"
local token = require "token"
local lru = assert(require("resty.lrucache").new(20000))
local shared = ngx.shared.accounts
local var, ctx_of = ngx.var, ngx
local json, now = token.json, ngx.now
local concat = table.concat

local _M = {}

-- How long an answer may be believed: what a revocation takes to be felt.
local BELIEVED_S = 5
local UNKNOWN = { reason = "token-unknown" }
local MAX_HELD = 100000
local APPEND = [[
for line in string.gmatch(ARGV[1], '[^\n]+') do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1000000, '*', 'e', line)
end
return 1]]

local batch, held = {}, 0
local append_sha
local is_asked = false

local function parse(text)
  local id, name, role, teams = text:match("^([^|]*)|([^|]*)|([^|]*)|([^|]*)$")
  -- The part of the record that is the same for all calls of an account is put together once.
  local part = ',"account":{"id":' .. json(id) .. ',"name":' .. json(name) .. ',"kind":"service"},"role":' .. json(role)
  return { id = id, name = name, role = role, teams = teams, part = part }
end

local function look_up(digest)
  local text = shared:get(digest)
  if text == nil then
    local err
    text, err = redis.call("GET", "bench:token:" .. token.to_hex(digest))
    if text == nil then return nil, err end
    text = text or ""
    shared:set(digest, text, BELIEVED_S)
  end
  local account = text == "" and UNKNOWN or parse(text)
  lru:set(digest, account, BELIEVED_S)
  return account
end

local function refuse(status, reason)
  ctx_of.ctx.reason = reason
  return token.refuse(status, reason)
end

function _M.access()
  local presented = token.presented(var.http_authorization)
  if not presented then return refuse(401, "token-missing") end
  local digest = token.digest(presented)
  local account = lru:get(digest)
  if not account then
    local err
    account, err = look_up(digest)
    if not account then
      ngx.log(ngx.ERR, "redis: ", err)
      return refuse(503, "registry-unavailable")
    end
  end
  if account == UNKNOWN then return refuse(401, "token-unknown") end
  ctx_of.ctx.account = account
  var.account_id, var.account_name, var.account_role, var.account_teams = account.id, account.name, account.role, account.teams
end

function _M.log()
  if held >= MAX_HELD then return end
  local ctx = ctx_of.ctx
  local account = ctx.account
  held = held + 1
  batch[held] = '{"id":"' .. var.request_id .. '","time":' .. now() .. (account and account.part or ',"account":null')
    .. ',"reason":"' .. (ctx.reason or "permitted") .. '","method":"' .. (is_asked and var.http_x_forwarded_method or var.request_method)
    .. '","path":' .. json(is_asked and var.http_x_forwarded_uri or var.uri)
    .. ',"status":' .. var.status .. ',"durationS":' .. var.request_time .. ',"responseBytes":' .. var.body_bytes_sent
    .. ',"clientAddress":"' .. (is_asked and var.http_x_forwarded_for or var.remote_addr) .. '","userAgent":' .. json(var.http_user_agent) .. "}"
end

local function flush()
  if held == 0 then return end
  local lines = concat(batch, "\n", 1, held)
  batch, held = {}, 0
  if not append_sha then append_sha = redis.call("SCRIPT", "LOAD", APPEND) end
  local ok, err = redis.call("EVALSHA", append_sha, 1, "bench:stream", lines)
  if not ok then ngx.log(ngx.ERR, "records lost: ", err) end
end

-- `asked`: another nginx asks, and says of which call.
function _M.start(asked)
  is_asked = asked
  ngx.timer.every(0.02, flush)
end

return _M
