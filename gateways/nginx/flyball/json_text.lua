-- A string as JSON, so that nothing else needs to be installed.

local _M = {}

local function escaped(char) return string.format("\\u%04x", char:byte()) end

function _M.quoted(text) return '"' .. text:gsub('[%c"\\]', escaped) .. '"' end

return _M
