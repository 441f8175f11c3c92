-- Reading tombstones, which the user `gate` may write. Not a script of its own: others begin with
-- it.

local function decodedTable(text)
  local done, value = pcall(cjson.decode, text)
  return done and type(value) == 'table' and value or nil
end

-- Nothing where it cannot be read.
local function readTombstone(text)
  local one = decodedTable(text)
  local whole = one and type(one.digests) == 'table' and type(one.deleted) == 'boolean' and type(one.inactive) == 'boolean'
    and (one.seq == nil or type(one.seq) == 'number')
  return whole and one or nil
end
