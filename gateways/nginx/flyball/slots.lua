-- A cap on what runs at the same time, with a bounded queue: waiting rather than an error.
--
-- Each worker writes only its own number of held and waiting slots, and a tenant's are the sum over
-- the workers that live. So a worker that is killed takes its slots with it.

local lock = require "flyball.lock"

local _M = {}

local KEEP_SECONDS = 3600
local STEP_SECONDS = 0.005
local LONGEST_STEP_SECONDS = 0.02

local shared, places, patience, share, deadline

--- Name the dictionary, the places in a tenant's queue, and how long (s) to wait in it.
function _M.open(options)
    shared = ngx.shared[options.counters_dict]
    places, patience = options.queue_places, options.queue_seconds
    share, deadline = options.share, options.deadline_seconds
end

--- This worker begins, holding nothing.
function _M.begin() shared:incr("\trun\t" .. ngx.worker.id(), 1, 0) end

local function key_of(kind, tenant, meter, worker)
    local run = shared:get("\trun\t" .. worker) or 0
    return "\t" .. kind .. "\t" .. worker .. "\t" .. run .. "\t" .. tenant .. "\t" .. meter
end

local function sum(kind, tenant, meter)
    local total = 0
    for worker = 0, ngx.worker.count() - 1 do
        total = total + (shared:get(key_of(kind, tenant, meter, worker)) or 0)
    end
    return total
end

local function add(key, weight)
    local now = shared:incr(key, weight, 0, KEEP_SECONDS)
    if now and now <= 0 then
        shared:delete(key)
    elseif now then
        shared:expire(key, KEEP_SECONDS)
    end
end

local function cap_of(limit) return math.ceil(limit.limit / share) end

-- `entered`, `queued`, `full`, or nil where the lock could not be had.
local function try(tenant, limit, weight, waits)
    local key = "\tlock\t" .. tenant
    if not lock.take(shared, key, deadline) then return nil end
    local held = sum("held", tenant, limit.meter)
    local queue = sum("waiting", tenant, limit.meter)
    local said = "full"
    if (waits or queue == 0) and (held == 0 or held + weight <= cap_of(limit)) then
        add(key_of("held", tenant, limit.meter, ngx.worker.id()), weight)
        said = "entered"
    elseif waits then
        said = "queued"
    elseif queue < places then
        add(key_of("waiting", tenant, limit.meter, ngx.worker.id()), 1)
        said = "queued"
    end
    lock.free(shared, key)
    return said
end

--- Ask for `weight` slots; waits for them up to the bound. True: they are held until `leave`.
-- False: the queue is full, or the time has passed. Nil: the counters could not be had.
function _M.enter(tenant, limit, weight)
    local said = try(tenant, limit, weight, false)
    if said ~= "queued" then
        if said == nil then return nil end
        return said == "entered"
    end
    local waiting = key_of("waiting", tenant, limit.meter, ngx.worker.id())
    local waited, step = 0, STEP_SECONDS
    while said == "queued" and waited < patience do
        ngx.sleep(step)
        waited = waited + step
        step = math.min(step * 1.5, LONGEST_STEP_SECONDS)
        said = try(tenant, limit, weight, true)
    end
    add(waiting, -1)
    if said == nil then return nil end
    return said == "entered"
end

--- Give slots back; needs no lock, because they are this worker's own.
function _M.leave(tenant, limit, weight)
    add(key_of("held", tenant, limit.meter, ngx.worker.id()), -weight)
end

return _M
