-- HAProxy asks Sallyport about each request: `http-request lua.sallyport` (HAProxy 2.5 or later).

local ENDPOINT = "http://127.0.0.1:9444/auth-request"
local TIMEOUT_MS = 3000

-- Every name that Sallyport answers with.
local IDENTITY = {
  "x-account-id",
  "x-account-name",
  "x-account-role",
  "x-account-teams",
  "x-account-applications",
  "x-account-assertion",
  "x-request-id",
}
-- Of the client's, what a decision is made by and a record holds.
local ASKED_WITH = { "authorization", "user-agent", "traceparent", "tracestate" }
-- Of a refusal.
local TOLD = { "content-type", "www-authenticate", "allow", "retry-after", "x-request-id" }

-- HAProxy numbers the values of a field from 0 in a request, from 1 in a response of its client.
local function values(field)
  local list = {}
  for _, value in pairs(field or {}) do list[#list + 1] = value end
  return list
end

local function first(headers, name)
  return values(headers and headers[name])[1]
end

local function refuse(txn, response)
  local status = response and response.status or 503
  if status < 400 or status > 599 then status = 503 end
  local reply = txn:reply({ status = status })
  for _, name in ipairs(TOLD) do
    for _, value in ipairs(values(response and response.headers and response.headers[name])) do
      reply:add_header(name, value)
    end
  end
  reply:set_body(response and response.body or "")
  txn:done(reply)
end

core.register_action("sallyport", { "http-req" }, function(txn)
  local client = txn.http:req_get_headers()
  local asked = {
    ["x-original-method"] = { txn.sf:method() },
    ["x-original-uri"] = { txn.sf:pathq() },
    ["x-original-host"] = values(client["host"]),
    ["x-original-forwarded-for"] = { txn.sf:src() },
  }
  for _, name in ipairs(ASKED_WITH) do
    if client[name] then asked[name] = values(client[name]) end
  end
  local response = core.httpclient():get({
    url = ENDPOINT,
    headers = asked,
    timeout = TIMEOUT_MS,
  })
  if not response or response.status ~= 200 then return refuse(txn, response) end
  for _, name in ipairs(IDENTITY) do
    local value = first(response.headers, name)
    if value == nil then return refuse(txn, nil) end
    -- An empty one deletes what the client says of itself.
    if value == "" then txn.http:req_del_header(name)
    else txn.http:req_set_header(name, value) end
  end
end, 0)
