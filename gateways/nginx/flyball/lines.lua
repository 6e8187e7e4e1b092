-- A line of the sidecar's files as terms: docs/reference/sidecar.md has the format.
--
-- All tenants of a plan under one multiplier have the same columns, so what was parsed is kept by
-- the columns themselves, and a worker parses each kind of tenant once.

local _M = {}

local find, sub, gsub, char = string.find, string.sub, string.gsub, string.char
local tonumber = tonumber

local MOST_KEPT = 4096
local kept, kept_relaxed, held = {}, {}, 0

local function columns_of(text)
    local parts, count, from = {}, 0, 1
    while true do
        local at = find(text, "\t", from, true)
        count = count + 1
        if not at then
            parts[count] = sub(text, from)
            return parts
        end
        parts[count] = sub(text, from, at - 1)
        from = at + 1
    end
end

local function decoded(pattern)
    return (gsub(pattern, "%%(%x%x)", function(hex) return char(tonumber(hex, 16)) end))
end

local function endpoints_of(text, friction, relaxed)
    if text == "-" then return nil end
    local found = {}
    for pattern, weight, base, limit in text:gmatch("([^,;]+),(%d+),(%d+),(%d+)") do
        pattern, base, limit = decoded(pattern), tonumber(base), tonumber(limit)
        local method, path = pattern:match("^(%u+) (.*)$")
        path = path or pattern
        local exact = sub(path, -1) ~= "*"
        local own = base > 0 and limit > 0
        if own and (relaxed or not friction) and limit < base then limit = base end
        found[#found + 1] = {
            pattern = pattern, method = method, exact = exact,
            start = exact and path or sub(path, 1, -2),
            weight = tonumber(weight), limit = own and limit or nil,
        }
    end
    -- The longest path first; of two alike one that names the method, then one without a star.
    table.sort(found, function(a, b)
        if #a.start ~= #b.start then return #a.start > #b.start end
        if (a.method ~= nil) ~= (b.method ~= nil) then return a.method ~= nil end
        if a.exact ~= b.exact then return a.exact end
        return a.pattern < b.pattern
    end)
    return found
end

local function whole(text, least)
    local number = tonumber(text)
    if not number or number < least or number % 1 ~= 0 then
        error("not a whole number from " .. least .. " on: " .. tostring(text), 0)
    end
    return number
end

local function parse(columns, relaxed)
    local parts = columns_of(columns)
    local friction = parts[1] == "1"
    local limits, concurrent = {}, false
    for n = 1, whole(parts[2], 0) do
        local at = 2 + (n - 1) * 9
        local base, limit = whole(parts[at + 3], 1), whole(parts[at + 4], 1)
        if (relaxed or not friction) and limit < base then limit = base end
        local window, burst = whole(parts[at + 5], 0), whole(parts[at + 6], 0)
        local soft = whole(parts[at + 7], 0)
        limits[n] = {
            meter = parts[at + 1], kind = parts[at + 2], limit = limit,
            window = window > 0 and window or nil,
            size = burst > 0 and burst or limit,
            soft = soft > 0 and soft or nil,
            paid = parts[at + 8] == "1",
            endpoints = endpoints_of(parts[at + 9], friction, relaxed),
        }
        concurrent = concurrent or limits[n].kind == "concurrency"
    end
    return { friction = friction and not relaxed, limits = limits, concurrent = concurrent }
end

--- The terms that columns (from the third on) stand for. `relaxed`: no limit below its base.
-- Raises an error where they are not as the format says.
function _M.terms(columns, relaxed)
    local shelf = relaxed and kept_relaxed or kept
    local terms = shelf[columns]
    if not terms then
        if held >= MOST_KEPT then
            kept, kept_relaxed, held = {}, {}, 0
            shelf = relaxed and kept_relaxed or kept
        end
        terms = parse(columns, relaxed)
        shelf[columns] = terms
        held = held + 1
    end
    return terms
end

-- `path` is decoded, without a query.
local function endpoint_for(endpoints, method, path)
    for n = 1, #endpoints do
        local endpoint = endpoints[n]
        if not endpoint.method or endpoint.method == method then
            if endpoint.exact then
                if path == endpoint.start then return endpoint end
            elseif sub(path, 1, #endpoint.start) == endpoint.start then
                return endpoint
            end
        end
    end
    return nil
end

--- The endpoint of a limit that a request counts for, or nil. `ask.method` and `ask.path` are looked
-- up by whoever made it, and only where a limit has endpoints.
function _M.endpoint_of(limit, ask)
    local endpoints = limit.endpoints
    return endpoints and endpoint_for(endpoints, ask.method, ask.path)
end

return _M
