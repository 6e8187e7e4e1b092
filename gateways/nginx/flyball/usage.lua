-- What passed and what was refused, added up by tenant and minute, and posted now and then.
--
-- Each worker counts for itself. A batch is first put into the spool directory, under identities
-- that never change, and removed when the service has acknowledged it: posting again counts nothing
-- twice. A killed worker loses what it had not yet put there, at most the counts of one interval.

local text = require "flyball.json_text"

local _M = {}

local MOST_EVENTS = 5000
local MOST_BATCHES = 1000
local TIMEOUT_MS = 10000
local QUEUE = "\tbatches"

local shared, spool, source, token_file, service
local counts, run, batches, due = {}, nil, 0, nil
local flush_seconds

-- Parts of http[s]://host[:port][/path].
local function service_of(url)
    local scheme, rest = url:match("^(https?)://(.+)$")
    local authority, path = (rest or ""):match("^([^/]+)(.*)$")
    if not authority then
        error("flyball: usage_url " .. url .. " is no address such as http://flyball:8080", 0)
    end
    local host, port = authority:match("^(.-):(%d+)$")
    return {
        host = host or authority, port = tonumber(port) or (scheme == "https" and 443 or 80),
        tls = scheme == "https", authority = authority, path = path:gsub("/$", "") .. "/v1/events",
    }
end

--- Take over the settings; without `usage_url` nothing is counted. Finds what an earlier run left.
function _M.open(options)
    if not options.usage_url then return end
    shared = ngx.shared[options.counters_dict]
    spool = assert(options.spool, "flyball: usage_url needs a spool directory")
    source, token_file = options.source, options.usage_token_file
    flush_seconds = options.flush_seconds
    service = service_of(options.usage_url)
    if shared:llen(QUEUE) == 0 then
        local listing = io.popen("ls '" .. spool:gsub("'", "'\\''") .. "' 2>/dev/null")
        for name in listing:lines() do
            if name:match("%.json$") then shared:rpush(QUEUE, name) end
        end
        listing:close()
    end
end

--- This worker begins.
function _M.begin()
    if not service then return end
    -- Never used by another worker, nor by this one after a restart.
    local random = assert(io.open("/dev/urandom", "rb"))
    run = random:read(8):gsub(".", function(c) return string.format("%02x", c:byte()) end)
    random:close()
    due = ngx.now() + flush_seconds
end

--- Add to a tenant's minute.
function _M.count(tenant, meter, quantity, now)
    if not service then return end
    local minute = now - now % 60
    local tenants = counts[minute]
    if not tenants then
        tenants = {}
        counts[minute] = tenants
    end
    local meters = tenants[tenant]
    if not meters then
        meters = {}
        tenants[tenant] = meters
    end
    meters[meter] = (meters[meter] or 0) + quantity
end

local function write_batch(events, minute)
    local name = string.format("%012d-%s-%08d.json", minute, run, batches)
    local path = spool .. "/" .. name
    local file, why = io.open(path .. ".part", "wb")
    local ok = file and file:write("[" .. table.concat(events, ",") .. "]")
    if file then ok = file:close() and ok end
    if not (ok and os.rename(path .. ".part", path)) then
        ngx.log(ngx.ERR, "flyball: usage cannot be kept in ", spool, ": ", why or "write failed")
        return false
    end
    batches = batches + 1
    shared:rpush(QUEUE, name)
    return true
end

--- Put what was counted into the spool. What cannot be written stays counted.
function _M.put_away()
    if not service then return end
    for minute, tenants in pairs(counts) do
        local events, taken = {}, {}
        local time = os.date("!%Y-%m-%dT%H:%M:%SZ", minute)
        local function write()
            if #events > 0 and not write_batch(events, minute) then return false end
            for n = 1, #taken do tenants[taken[n]] = nil end
            events, taken = {}, {}
            return true
        end
        local ok = true
        for tenant, meters in pairs(tenants) do
            taken[#taken + 1] = tenant
            for meter, quantity in pairs(meters) do
                events[#events + 1] = string.format(
                    '{"specversion":"1.0","id":"%s-%d-%d","source":%s,"type":%s,"subject":%s,'
                        .. '"time":"%s","data":{"quantity":%.0f}}',
                    run, batches, #events, text.quoted(source), text.quoted(meter),
                    text.quoted(tenant), time, quantity)
            end
            if #events >= MOST_EVENTS then
                ok = write()
                if not ok then break end
            end
        end
        if ok and write() then counts[minute] = nil end
    end
end

local function token()
    if not token_file then return nil end
    local file = io.open(token_file, "rb")
    if not file then return nil end
    local found = file:read("*a"):match("^%s*(.-)%s*$")
    file:close()
    return found
end

-- The status of the answer; nil where there was none.
local function post(body)
    local socket = ngx.socket.tcp()
    socket:settimeout(TIMEOUT_MS)
    local ok, why = socket:connect(service.host, service.port)
    if ok and service.tls then ok, why = socket:sslhandshake(nil, service.host, true) end
    if not ok then return nil, why end
    local secret = token()
    local head = "POST " .. service.path .. " HTTP/1.1\r\nHost: " .. service.authority
        .. "\r\nContent-Type: application/cloudevents-batch+json\r\nConnection: close"
        .. (secret and "\r\nAuthorization: Bearer " .. secret or "")
        .. "\r\nContent-Length: " .. #body .. "\r\n\r\n"
    local line
    ok, why = socket:send({ head, body })
    if ok then line, why = socket:receive("*l") end
    socket:close()
    return line and tonumber(line:match("^HTTP/%d%.%d (%d%d%d)")), why
end

-- Whether a batch need not be posted again.
local function send(name)
    local file = io.open(spool .. "/" .. name, "rb")
    if not file then return true end
    local body = file:read("*a")
    file:close()
    local status, why = post(body)
    if status ~= 202 then
        ngx.log(ngx.WARN, "flyball: usage not taken: ", status or why)
        -- These would be the same next time; tokens and servers can be put right.
        if status ~= 400 and status ~= 413 and status ~= 415 and status ~= 422 then
            return false
        end
    end
    os.remove(spool .. "/" .. name)
    return true
end

--- Post what is spooled, oldest first; gives up at the first that is not taken.
function _M.post()
    for _ = 1, shared:llen(QUEUE) - MOST_BATCHES do
        local name = shared:lpop(QUEUE)
        if name then
            os.remove(spool .. "/" .. name)
            shared:incr("\tdropped", 1, 0)
        end
    end
    while true do
        local name = shared:lpop(QUEUE)
        if not name then return end
        local ok, done = pcall(send, name)
        if not (ok and done) then
            shared:lpush(QUEUE, name)
            if not ok then ngx.log(ngx.WARN, "flyball: ", done) end
            return
        end
    end
end

--- One step, a few times a second; posts in a timer of its own, so that nothing waits for it.
function _M.follow()
    if not service or ngx.now() < due then return end
    due = ngx.now() + flush_seconds
    _M.put_away()
    ngx.timer.at(0, function(premature) if not premature then _M.post() end end)
end

--- Batches given up because the spool had too many.
function _M.dropped() return shared and shared:get("\tdropped") or 0 end

return _M
