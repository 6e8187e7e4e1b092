-- What HAProxy's rules cannot do by themselves: see for themselves how old the sidecar's files are,
-- look for the kill file, and wait for a free slot. Needs nothing but HAProxy's Lua.

local LOOK_MS = 250
local WAIT_MS, STEP_MS, PLACES = 5000, 10, 32
local FRESH_SECONDS, OPEN_SECONDS, SILENT_SECONDS = 900, 86400, 15

local folder = os.getenv("FLYBALL_FOLDER") or "/run/flyball"
local state = "open"

local function exists(path)
    local file = io.open(path, "rb")
    if file then file:close() end
    return file ~= nil
end

-- Where enforcement stands. With the sidecar dead nobody relaxes the limits of the maps, so a copy
-- that is no longer fresh is then not enforced at all.
local function standing(now)
    if exists(folder .. "/kill") then return "open" end
    local file = io.open(folder .. "/state.json", "rb")
    if not file then return "open" end
    local text = file:read("a") or ""
    file:close()
    local said = text:match('"state":"([%a_]+)"')
    local published = tonumber(text:match('"published":(%d+)'))
    local written = tonumber(text:match('"written":(%d+)'))
    if not published or not written or said == "open" then return "open" end
    local age = now - published
    if age > OPEN_SECONDS then return "open" end
    if age <= FRESH_SECONDS and said == "fresh" then return "fresh" end
    return now - written <= SILENT_SECONDS and "last_known_good" or "open"
end

local function look()
    local ok, found = pcall(standing, core.now().sec)
    state = ok and found or "open"
end

look()
core.register_task(function()
    while true do
        look()
        core.msleep(LOOK_MS)
    end
end)

core.register_fetches("flyball_state", function() return state end)

-- When each of a tenant's waiting requests gives up; who left without a word counts until then.
local waiting = {}

local function queue_of(tenant, now)
    local left = {}
    for _, ends in ipairs(waiting[tenant] or {}) do
        if ends > now then left[#left + 1] = ends end
    end
    waiting[tenant] = #left > 0 and left or nil
    return left
end

local function millis()
    local now = core.now()
    return now.sec * 1000 + now.usec / 1000
end

local function running(txn, tenant)
    return tonumber(txn.c:table_conn_cur(tenant, "flyball_running")) or 0
end

local function leave(tenant, ends)
    local queue = waiting[tenant] or {}
    for n = 1, #queue do
        if queue[n] == ends then
            table.remove(queue, n)
            break
        end
    end
    if #queue == 0 then waiting[tenant] = nil end
end

core.register_action("flyball_wait", { "http-req" }, function(txn)
    local tenant, cap = txn:get_var("txn.tenant"), tonumber(txn:get_var("txn.cap"))
    if running(txn, tenant) < cap then return end
    local now = millis()
    local queue = queue_of(tenant, now)
    if #queue >= PLACES then
        txn:set_var("txn.full", true)
        return
    end
    local ends = now + WAIT_MS
    queue[#queue + 1] = ends
    waiting[tenant] = queue
    while running(txn, tenant) >= cap do
        if millis() >= ends then
            txn:set_var("txn.full", true)
            break
        end
        core.msleep(STEP_MS)
    end
    leave(tenant, ends)
end, 0)
