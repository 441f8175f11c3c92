-- What both gates need of a token: its digest, by OpenSSL, which nginx holds anyway, without a
-- detour over a Lua object.
local ffi = require "ffi"

ffi.cdef [[
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
unsigned char *ngx_hex_dump(unsigned char *dst, const unsigned char *src, size_t len);
]]

local C = ffi.C
local digest = ffi.new("unsigned char[32]")
local hex = ffi.new("unsigned char[64]")
local sub = string.sub

local _M = {}

-- The token that `Authorization` presents, or nil.
function _M.presented(header)
  if not header or #header ~= 73 or sub(header, 1, 11) ~= "Bearer slp_" then return nil end
  return sub(header, 8)
end

-- 32 raw bytes: a key for caches.
function _M.digest(token)
  C.SHA256(token, #token, digest)
  return ffi.string(digest, 32)
end

function _M.to_hex(raw)
  C.ngx_hex_dump(hex, raw, #raw)
  return ffi.string(hex, #raw * 2)
end

local QUOTED = [[["\\\x00-\x1f\x7f-\xff]] .. "]"

-- A JSON string; plain text, nearly all there is, costs one look.
function _M.json(text)
  if not text then return "null" end
  if not ngx.re.find(text, QUOTED, "jo") then return '"' .. text .. '"' end
  return '"' .. ngx.re.gsub(text, QUOTED, function(m) return string.format("\\u%04x", m[0]:byte()) end, "jo") .. '"'
end

-- The answer of a gate that lets nobody in.
function _M.refuse(status, reason)
  ngx.status = status
  if status == 401 then ngx.header["WWW-Authenticate"] = 'Bearer realm="bench"' end
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.print('{"status":', status, ',"reason":"', reason, '"}\n')
  return ngx.exit(status)
end

return _M
