-- Allowances over restarts: each worker appends what changed now and then to one file, and a start
-- goes on from it. (A reload needs no file: the dictionary stays.)

local counters = require "flyball.counters"

local _M = {}

local INTERVAL_SECONDS = 10
local path, due, shared

-- The last line of each key counts.
local function read()
    local found = {}
    local file = io.open(path, "rb")
    if file then
        for line in file:lines() do
            local key = line:match("^(.-)\t")
            if key then found[key] = line end
        end
        file:close()
    end
    return found
end

--- Go on from the file, unless the dictionary is there already.
function _M.open(options)
    path = options.spool and options.spool .. "/allowances.tsv"
    if not path then return end
    shared = ngx.shared[options.counters_dict]
    if shared:add("\tresumed", true) then
        for _, line in pairs(read()) do counters.resume(line) end
    end
end

--- This worker begins; the first one leaves out of the file what says nothing any more.
function _M.begin()
    if not path then return end
    due = ngx.now() + INTERVAL_SECONDS
    if not shared:add("\tshortened", true) then return end
    local file = io.open(path .. ".part", "wb")
    if not file then
        ngx.log(ngx.ERR, "flyball: ", path, " cannot be written: allowances are lost in a restart")
        return
    end
    for _, line in pairs(read()) do
        if counters.resume(line) then file:write(line, "\n") end
    end
    file:close()
    os.rename(path .. ".part", path)
end

--- Append what changed.
function _M.put_away()
    if not path then return end
    local lines = counters.changed_allowances()
    if lines == "" then return end
    local file = io.open(path, "ab")
    if file then
        file:setvbuf("full", #lines + 1)
        file:write(lines)
        file:close()
    end
end

--- One step, a few times a second.
function _M.follow()
    if path and ngx.now() >= due then
        due = ngx.now() + INTERVAL_SECONDS
        _M.put_away()
    end
end

return _M
