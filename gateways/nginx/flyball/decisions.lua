-- The node's copy of all decisions: the sidecar's files, tailed into a shared dictionary.
--
-- One worker at a time does the tailing (whoever holds a lease that lasts a second); all workers
-- read. An entry is "generation TAB since TAB tenant TAB columns"; one of an older generation than
-- the base that was loaded last is no longer known.

local _M = {}

local find, sub = string.find, string.sub
local tonumber, open = tonumber, io.open

-- Some hundred lines: a worker that follows serves requests between two parts.
local PART_BYTES = 16384
local WHOLE_BYTES = 1048576
local LEASE_SECONDS = 1
_M.FRESH_SECONDS = 900
_M.OPEN_SECONDS = 86400

local shared, folder, kill_file
local killed, published, loaded, leads = false, nil, 0, false

local function exists(path)
    local file = open(path, "rb")
    if file then file:close() end
    return file ~= nil
end

-- Keys of our own begin with a tab, which no name can.
local function mine(name) return "\t" .. name end

local function put(line, generation, now_ms)
    local tab = find(line, "\t", 1, true)
    if not tab then return end
    local name, rest = sub(line, 1, tab - 1), sub(line, tab + 1)
    if rest == "-" then
        shared:delete(name)
        return
    end
    local since, old = now_ms, shared:get(name)
    if old then
        local _, at = find(old, "\t", 1, true)
        local till = find(old, "\t", at + 1, true)
        -- The same limits as before are in force since before.
        if sub(old, till + 1) == rest then since = sub(old, at + 1, till - 1) end
    end
    local ok, why = shared:safe_set(name, generation .. "\t" .. since .. "\t" .. rest)
    if not ok then
        shared:incr(mine("unkept"), 1, 0)
        if shared:get(mine("complained")) ~= generation then
            shared:set(mine("complained"), generation)
            ngx.log(ngx.ERR, "flyball: ", why, ": some tenants have no limit of ours; ",
                "raise lua_shared_dict flyball_decisions")
        end
    end
end

local function take(text, generation)
    local now_ms = ngx.now() * 1000
    local from, to = 1, find(text, "\n", 1, true)
    while to do
        local line = sub(text, from, to - 1)
        from, to = to + 1, find(text, "\n", to + 1, true)
        if sub(line, 1, 8) == "#flyball" then
            local moment = line:match("^#flyball\t1\t%d+\t%d+\t%d+\t(%d+)")
            if moment then shared:set(mine("published"), tonumber(moment)) end
        elseif sub(line, 1, 1) ~= "#" then
            put(line, generation, now_ms)
        end
    end
end

-- Reads whole lines to the end of a file; what follows the last line end waits for next time.
local function read_lines(file, generation, offset, pause)
    local rest = ""
    while true do
        local part = file:read(pause and PART_BYTES or WHOLE_BYTES)
        if not part then return offset end
        part = rest .. part
        local last = part:match(".*()\n")
        if last then
            take(sub(part, 1, last), generation)
            offset = offset + last
            rest = sub(part, last + 1)
        else
            rest = part
        end
        if pause then pause() end
    end
end

local function load_base(generation, pause)
    local file = open(folder .. "/decisions.tsv", "rb")
    if not file then return false end
    local head = file:read("*l") or ""
    local format, found = head:match("^#flyball\t(%d+)\t(%d+)\t")
    if format ~= "1" or found ~= generation then
        file:close()
        return false
    end
    file:seek("set", 0)
    shared:delete(mine("unkept"))
    read_lines(file, generation, 0, pause)
    file:close()
    return true
end

local function tail(pause)
    local file = open(folder .. "/changes.tsv", "rb")
    if not file then return end
    local head = file:read("*l") or ""
    local generation = head:match("^#changes\t1\t(%d+)$")
    if not generation then
        file:close()
        return
    end
    local offset = shared:get(mine("offset"))
    if shared:get(mine("generation")) ~= tonumber(generation) then
        -- A base that is half loaded stays unannounced: names keep the lines they had.
        if not load_base(generation, pause) then
            file:close()
            return
        end
        offset = #head + 1
        shared:set(mine("offset"), offset)
        shared:set(mine("generation"), tonumber(generation))
    end
    file:seek("set", offset)
    local reached = read_lines(file, generation, offset, pause)
    if reached ~= offset then shared:set(mine("offset"), reached) end
    file:close()
end

local function look()
    published = shared:get(mine("published"))
    loaded = shared:get(mine("generation")) or 0
    killed = exists(kill_file)
end

local function lead()
    local me = ngx.worker.pid()
    local leader = shared:get(mine("leader"))
    if leader == me then
        shared:set(mine("leader"), me, LEASE_SECONDS)
        return true
    end
    return leader == nil and (shared:add(mine("leader"), me, LEASE_SECONDS)) == true
end

--- Name the dictionary and the files, and load what there is (before workers start).
function _M.open(options)
    shared = assert(ngx.shared[options.decisions_dict],
        "flyball: add `lua_shared_dict " .. options.decisions_dict .. " 64m;`")
    folder, kill_file = options.folder, options.kill_file
    tail(nil)
    look()
end

--- One step of following, in each worker: the leader tails, everybody looks for the kill file.
function _M.follow()
    leads = lead()
    if leads then
        tail(function()
            shared:set(mine("leader"), ngx.worker.pid(), LEASE_SECONDS)
            ngx.sleep(0)
            killed = exists(kill_file)
        end)
    end
    look()
end

--- Whether this worker does what one worker has to do.
function _M.leads() return leads end

--- Where enforcement stands: `fresh`, `last_known_good` or `open`, and the copy's age in seconds.
function _M.standing(now)
    if not published then return "open", nil end
    local age = now - published
    if killed or age > _M.OPEN_SECONDS then return "open", age end
    return age > _M.FRESH_SECONDS and "last_known_good" or "fresh", age
end

--- When the last sign of life was published (Unix seconds), or nil.
function _M.published() return published end

--- How many lines did not fit into the dictionary.
function _M.unkept() return shared:get(mine("unkept")) or 0 end

--- What is known of a name: tenant, columns, since when (ms); nil: nobody we know.
function _M.of(name)
    if sub(name, 1, 1) == "\t" then return nil end
    local entry = shared:get(name)
    if not entry then return nil end
    local first = find(entry, "\t", 1, true)
    if tonumber(sub(entry, 1, first - 1)) < loaded then return nil end
    local second = find(entry, "\t", first + 1, true)
    local third = find(entry, "\t", second + 1, true)
    return sub(entry, second + 1, third - 1), sub(entry, third + 1),
        tonumber(sub(entry, first + 1, second - 1))
end

return _M
