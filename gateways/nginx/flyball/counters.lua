-- All counters of this nginx: every tenant's, each its own, none ever reset by a change of a limit.
--
-- A rate is a token bucket that stores what is in use, in units x milliseconds of the window, which
-- drains at the limit; a quota is what was used until its window ends. A request touches several;
-- either all of them count it or none does. The same rules as the product's middleware
-- (docs/reference/node.md), over a dictionary that all workers share.

local ffi = require "ffi"
local lines = require "flyball.lines"
local lock = require "flyball.lock"
local window = require "flyball.window"

local _M = {}

local ceil, max, min = math.ceil, math.max, math.min
local REQUESTS = "api.requests"

ffi.cdef "typedef struct { double level, at, limit, window; } flyball_bucket;"
ffi.cdef "typedef struct { double used, window, ends; } flyball_allowance;"
local new_bucket = ffi.typeof("flyball_bucket")
local BUCKET, ALLOWANCE = ffi.sizeof("flyball_bucket"), ffi.sizeof("flyball_allowance")

local shared, share, deadline, longest_delay_ms
-- Allowances that this worker has changed and not yet put away.
local changed = {}

--- Name the dictionary and what the counters go by.
function _M.open(options)
    shared = assert(ngx.shared[options.counters_dict],
        "flyball: add `lua_shared_dict " .. options.counters_dict .. " 64m;`")
    share, deadline = options.share, options.deadline_seconds
    longest_delay_ms = options.longest_delay_seconds * 1000
end

local function key_of(tenant, meter, pattern) return tenant .. "\1" .. meter .. "\1" .. pattern end

local function charge_of(charges, tenant, limit, pattern, units, cap)
    charges[#charges + 1] = {
        key = key_of(tenant, limit.meter, pattern),
        policy = pattern == "" and limit.meter or limit.meter .. " " .. pattern,
        meter = limit.meter, kind = limit.kind, units = units, window = limit.window,
        limit = cap or limit.limit, size = cap or limit.size,
        soft = not cap and limit.soft or nil, paid = limit.paid,
    }
end

local function charge_for(charges, tenant, limit, ask)
    if limit.kind == "concurrency" then return end
    local endpoint = lines.endpoint_of(limit, ask)
    local named = ask.units and ask.units[limit.meter]
    local units = named
    if not units and limit.kind ~= "storage" then
        if endpoint then
            units = endpoint.weight
        elseif limit.meter == REQUESTS then
            units = 1
        end
    end
    if not units then return end
    if units > 0 or named then
        charge_of(charges, tenant, limit, "", units)
    end
    if endpoint and endpoint.limit then
        charge_of(charges, tenant, limit, endpoint.pattern, 1, endpoint.limit)
    end
end

local function charges_of(tenant, terms, ask)
    local charges, limits = {}, terms.limits
    if limits[1] then charge_for(charges, tenant, limits[1], ask) end
    if limits[2] then
        for n = 2, #limits do charge_for(charges, tenant, limits[n], ask) end
    end
    return charges
end

local function drain(bucket, at)
    if at > bucket.at then
        bucket.level = max(0, bucket.level - bucket.limit * (at - bucket.at))
        bucket.at = at
    end
end

local function bucket_of(charge, now, since)
    local bucket = new_bucket()
    local limit, window_ms = ceil(charge.limit / share), charge.window * 1000
    local kept = shared:get(charge.key)
    if kept and #kept == BUCKET then
        ffi.copy(bucket, kept, BUCKET)
        if bucket.limit ~= limit or bucket.window ~= window_ms then
            drain(bucket, min(since, now))
            if bucket.window ~= window_ms then
                -- Rounded up: a change must not give anything away.
                bucket.level = ceil(bucket.level * window_ms / bucket.window)
                bucket.window = window_ms
            end
            bucket.limit = limit
        end
        drain(bucket, now)
    else
        bucket.at, bucket.limit, bucket.window = now, limit, window_ms
    end
    return bucket
end

local function keep_bucket(key, bucket)
    -- When nothing is in use any more it may as well be forgotten.
    local _, why, forcible = shared:set(key, ffi.string(bucket, BUCKET),
        bucket.level / bucket.limit / 1000 + 1)
    if why or forcible then shared:incr("\tevicted", 1, 0) end
end

local function look_rate(charge, now, since)
    local bucket = bucket_of(charge, now, since)
    local size = ceil(charge.size / share)
    local over = bucket.level + (min(charge.units, size) - size) * bucket.window
    local wait = over > 0 and ceil(over / bucket.limit) or 0
    local left = max(0, size - ceil(bucket.level / bucket.window))
    charge.bucket = bucket
    charge.cap = bucket.limit
    charge.wait, charge.refused = wait, wait > 0
    charge.remaining = wait > 0 and left or max(0, left - charge.units)
    charge.reset = ceil(bucket.level / bucket.limit)
        + (wait > 0 and 0 or ceil(charge.units * bucket.window / bucket.limit))
    return 0
end

local function allowance_of(charge, now)
    local allowance = ffi.new("flyball_allowance")
    local kept = shared:get(charge.key)
    if kept and #kept == ALLOWANCE then ffi.copy(allowance, kept, ALLOWANCE) end
    if charge.window ~= allowance.window then
        -- A longer window (another plan) starts with what was used so far, a shorter one anew.
        local carried = now < allowance.ends and charge.window > allowance.window
        allowance.window, allowance.ends = charge.window, window.ends(charge.window, now)
        if not carried then allowance.used = 0 end
    elseif now >= allowance.ends then
        allowance.ends, allowance.used = window.ends(charge.window, now), 0
    end
    return allowance
end

local function keep_allowance(key, allowance, now)
    local _, why, forcible = shared:set(key, ffi.string(allowance, ALLOWANCE),
        (allowance.ends - now) / 1000 + 1)
    if why or forcible then shared:incr("\tevicted", 1, 0) end
    changed[key] = true
end

local function soft_delay(used, cap, soft)
    if not soft or used * 100 <= cap * soft then return 0 end
    if used >= cap then return longest_delay_ms end
    return longest_delay_ms * (used * 100 - cap * soft) / (cap * (100 - soft))
end

local function look_quota(charge, now)
    local allowance = allowance_of(charge, now)
    local cap = ceil(charge.limit / share)
    charge.refused = allowance.used + max(charge.units, 1) > cap
    local after = charge.refused and allowance.used or allowance.used + charge.units
    charge.allowance = allowance
    charge.remaining, charge.reset = max(0, cap - after), allowance.ends - now
    charge.wait = charge.refused and charge.reset or 0
    charge.is_soft = charge.soft and after * 100 > cap * charge.soft
    return soft_delay(after, cap, charge.soft)
end

local function look_storage(charge, ask)
    -- Stored bytes are one number for all nodes: nothing is shared out.
    local stored = ask.stored and ask.stored[charge.meter] or 0
    charge.refused = charge.units > 0 and stored + charge.units > charge.limit
    local after = charge.refused and stored or stored + charge.units
    charge.remaining, charge.wait = max(0, charge.limit - after), 0
    charge.is_soft = charge.soft and after * 100 > charge.limit * charge.soft
    return charge.units > 0 and soft_delay(after, charge.limit, charge.soft) or 0
end

local function look_at(charge, ask, now, since)
    if charge.kind == "rate" then return look_rate(charge, now, since) end
    if charge.kind == "quota" then return look_quota(charge, now) end
    return look_storage(charge, ask)
end

-- Most requests touch one counter; that one has no loop, because LuaJIT compiles no function that
-- meets a loop which ends at once.
local function look(charges, ask, now, since)
    local first = charges[1]
    local delay = look_at(first, ask, now, since)
    local refused = first.refused
    if charges[2] then
        for n = 2, #charges do
            delay = max(delay, look_at(charges[n], ask, now, since))
            refused = refused or charges[n].refused
        end
    end
    return refused, refused and 0 or delay
end

local function count_one(charge, now, sign)
    if charge.bucket then
        local bucket = charge.bucket
        bucket.level = max(0, bucket.level + sign * charge.units * bucket.window)
        keep_bucket(charge.key, bucket)
    elseif charge.allowance then
        local allowance = charge.allowance
        allowance.used = max(0, allowance.used + sign * charge.units)
        keep_allowance(charge.key, allowance, now)
    end
end

local function count(charges, now, sign)
    count_one(charges[1], now, sign)
    if charges[2] then
        for n = 2, #charges do count_one(charges[n], now, sign) end
    end
end

-- Runs `work` with the tenant's counters to itself; nil if they could not be had in time. Its
-- arguments are handed on, because a closure for each request would keep LuaJIT from compiling.
local function alone(tenant, patience, work, charges, ask, since, verdict)
    local key = "\tlock\t" .. tenant
    if not lock.take(shared, key, patience) then return nil end
    local ok, why = pcall(work, charges, ask, since, verdict)
    lock.free(shared, key)
    if not ok then error(why, 0) end
    return true
end

local function look_and_count(charges, ask, since, verdict)
    local now = ngx.now() * 1000
    verdict.refused, verdict.delay = look(charges, ask, now, since)
    if not verdict.refused then count(charges, now, 1) end
end

local function uncount(charges, ask, since)
    local now = ngx.now() * 1000
    look(charges, ask, now, since)
    count(charges, now, -1)
end

local function count_anyway(charges, ask, since)
    local now = ngx.now() * 1000
    look(charges, ask, now, since)
    count(charges, now, 1)
end

--- Count a request towards everything that it touches, or refuse it and count nothing.
-- Returns a verdict {states, refused, delay (ms)}; nil if the counters could not be had in time.
-- `since`: from when on these limits are in force (ms).
function _M.admit(tenant, terms, ask, since)
    local charges = charges_of(tenant, terms, ask)
    local verdict = { states = charges, refused = false, delay = 0 }
    if #charges == 0 then return verdict end
    return alone(tenant, deadline, look_and_count, charges, ask, since, verdict) and verdict
end

--- Undo an `admit` that passed, because the request was not served after all.
function _M.give_back(tenant, verdict, ask, since)
    if not verdict.states[1] then return end
    alone(tenant, deadline, uncount, verdict.states, ask, since)
end

--- Count units that are known only after the answer. Never refuses, never waits.
function _M.charge(tenant, terms, meter, units, since)
    for n = 1, #terms.limits do
        local limit = terms.limits[n]
        if limit.meter == meter and (limit.kind == "rate" or limit.kind == "quota") then
            local charges = {}
            charge_of(charges, tenant, limit, "", units)
            alone(tenant, nil, count_anyway, charges, {}, since)
        end
    end
end

--- Lines of the allowances that this worker has changed since it was last asked.
function _M.changed_allowances()
    local found, allowance = {}, ffi.new("flyball_allowance")
    for key in pairs(changed) do
        local kept = shared:get(key)
        if kept and #kept == ALLOWANCE then
            ffi.copy(allowance, kept, ALLOWANCE)
            found[#found + 1] = string.format("%s\t%.0f\t%.0f\t%.0f\n",
                key, allowance.used, allowance.window, allowance.ends)
        end
    end
    changed = {}
    return table.concat(found)
end

--- Go on from a line that `changed_allowances` gave; whether its window still runs.
function _M.resume(line)
    local key, used, length, ends = line:match("^(.-)\t(%d+)\t(%d+)\t(%d+)$")
    local now = ngx.now() * 1000
    if not key or tonumber(ends) <= now then return false end
    local allowance = ffi.new("flyball_allowance", tonumber(used), tonumber(length), tonumber(ends))
    shared:set(key, ffi.string(allowance, ALLOWANCE), (allowance.ends - now) / 1000 + 1)
    return true
end

--- How many counters had to make room for others.
function _M.evicted() return shared:get("\tevicted") or 0 end

return _M
