-- Flyball inside nginx: what the phases of a request call. README.md beside this says how.
--
-- Whatever goes wrong here lets the request pass, and says so in `Flyball-State: open`: a throttle
-- must not become an outage.

local counters = require "flyball.counters"
local decisions = require "flyball.decisions"
local fields = require "flyball.fields"
local journal = require "flyball.journal"
local lines = require "flyball.lines"
local refusal = require "flyball.refusal"
local slots = require "flyball.slots"
local usage = require "flyball.usage"

local _M = {}

local LOOK_SECONDS = 0.25
local DEFAULTS = {
    folder = "/run/flyball", decisions_dict = "flyball_decisions",
    counters_dict = "flyball_counters", share = 1, deadline_seconds = 0.02,
    longest_delay_seconds = 0.5, queue_places = 32, queue_seconds = 5, flush_seconds = 60,
    source = "gateway/nginx", remove = { "X-Tenant-ID" },
}
local KNOWN = {
    kill_file = true, plan_url = true, spool = true, usage_url = true, usage_token_file = true,
    ask = true,
}

local options, removed
local outcomes = {}
-- Requests on their way, by number. A request carries its number in $flyball_ticket, which survives
-- internal redirects, or in the table that a gateway on OpenResty keeps for each request.
local tickets, last_ticket = {}, 0

local function number_of(ctx)
    return tonumber(ctx and ctx.flyball_ticket or not ctx and ngx.var.flyball_ticket)
end

--- In init_by_lua: take the settings, and load what the sidecar has written.
function _M.start(given)
    options = {}
    for name, value in pairs(DEFAULTS) do options[name] = value end
    for name, value in pairs(given or {}) do
        if DEFAULTS[name] == nil and not KNOWN[name] then
            error("flyball: no setting is called " .. tostring(name), 0)
        end
        options[name] = value
    end
    options.kill_file = options.kill_file or options.folder .. "/kill"
    removed = {}
    for _, name in ipairs(options.remove) do removed[name:lower()] = true end
    decisions.open(options)
    counters.open(options)
    slots.open(options)
    journal.open(options)
    usage.open(options)
end

local function put_away_counts()
    local shared = ngx.shared[options.counters_dict]
    for outcome, number in pairs(outcomes) do
        shared:incr("\toutcome\t" .. outcome, number, 0)
    end
    outcomes = {}
end

--- In exit_worker_by_lua: keep what only this worker knows.
function _M.stop()
    usage.put_away()
    journal.put_away()
    put_away_counts()
end

local function step(premature)
    -- The worker ends in order; other gateways on OpenResty say so in no other way.
    if premature then return _M.stop() end
    for _, part in ipairs({ decisions, usage, journal }) do
        local ok, why = pcall(part.follow)
        if not ok then ngx.log(ngx.ERR, "flyball: ", why) end
    end
    put_away_counts()
    ngx.timer.at(LOOK_SECONDS, step)
end

--- In init_worker_by_lua: begin to follow.
function _M.follow()
    slots.begin()
    usage.begin()
    journal.begin()
    ngx.timer.at(0, step)
end

local NOTHING = {}
-- What nginx is asked for only where a limit has endpoints.
local ASKED = {
    method = function() return ngx.req.get_method() end,
    path = function() return ngx.var.uri end,
}
local LAZY = {
    __index = function(ask, key)
        local look = ASKED[key]
        local found = look and look()
        ask[key] = found
        return found
    end,
}

local function clean()
    for name in pairs(ngx.req.get_headers(0)) do
        if fields.is_ours(name) or removed[name] then ngx.req.clear_header(name) end
    end
end

local function new_ticket(ctx)
    last_ticket = last_ticket + 1
    if ctx then
        ctx.flyball_ticket = last_ticket
    else
        ngx.var.flyball_ticket = last_ticket
    end
    local ticket = { state = "open", states = {} }
    tickets[last_ticket] = ticket
    return ticket
end

local function outcome_is(outcome) outcomes[outcome] = (outcomes[outcome] or 0) + 1 end

-- Waits for the slots of a concurrency limit; the state of one that refuses, or nil.
local function enter_one(ticket, tenant, limit, ask)
    local endpoint = lines.endpoint_of(limit, ask)
    local weight = ask.units and ask.units[limit.meter] or endpoint and endpoint.weight or 1
    local entered = slots.enter(tenant, limit, weight)
    if entered == nil then ticket.state = "open" end
    if entered == false then
        return { {
            policy = limit.meter, meter = limit.meter, kind = limit.kind,
            limit = limit.limit, remaining = 0, wait = 1000, refused = true,
        } }
    elseif entered then
        ticket.held = ticket.held or {}
        table.insert(ticket.held, { limit = limit, weight = weight })
    end
    return nil
end

-- Waits for the slots of every concurrency limit; the states of those that refuse, or nil.
local function enter(ticket, tenant, terms, ask)
    if not terms.concurrent then return nil end
    for n = 1, #terms.limits do
        local limit = terms.limits[n]
        if limit.kind == "concurrency" then
            local refusing = enter_one(ticket, tenant, limit, ask)
            if refusing then return refusing end
        end
    end
    return nil
end

local function release(ticket)
    if not ticket.held then return end
    for _, held in ipairs(ticket.held) do
        slots.leave(ticket.tenant, held.limit, held.weight)
    end
    ticket.held = nil
end

-- Decides on a request; the status to refuse it with, or nil where it passes.
local function decide(ticket, name)
    local state = decisions.standing(ngx.now())
    ticket.state = state
    local tenant, columns, since
    if name and name ~= "" then tenant, columns, since = decisions.of(name) end
    if not tenant then
        if state ~= "open" then
            ticket.state = name and name ~= "" and "unknown_tenant" or "no_identity"
        end
        outcome_is(state == "open" and "open" or "unlimited")
        return nil
    end
    ticket.tenant = tenant
    ngx.req.set_header("X-Flyball-Tenant", tenant)
    if state == "open" then
        outcome_is("open")
        return nil
    end
    local relaxed = state == "last_known_good"
    local terms = lines.terms(columns, relaxed)
    if relaxed then
        since = math.max(since, (decisions.published() + decisions.FRESH_SECONDS) * 1000)
    end
    local given = options.ask and options.ask() or NOTHING
    local ask = setmetatable({ units = given.units, stored = given.stored }, LAZY)
    ticket.terms, ticket.since = terms, since
    local verdict = counters.admit(tenant, terms, ask, since)
    if not verdict then
        ticket.state = "open"
        outcome_is("open")
        return nil
    end
    ticket.states = verdict.states
    if not verdict.refused then
        if verdict.delay > 0 then ngx.sleep(verdict.delay / 1000) end
        local refusing = enter(ticket, tenant, terms, ask)
        if not refusing then
            outcome_is("passed")
            return nil
        end
        release(ticket)
        counters.give_back(tenant, verdict, ask, since)
        ticket.states = refusing
    end
    ticket.refused = true
    outcome_is("refused")
    return fields.status(ticket.states)
end

local function answer(status, body, headers)
    ngx.status = status
    for name, value in pairs(headers) do ngx.header[name] = value end
    ngx.print(body)
    return ngx.exit(ngx.HTTP_OK)
end

--- In access_by_lua, after the gateway's own authentication: let the request pass, hold it, or
-- answer it. `name` is what the gateway has verified; never a client's header.
-- `ctx`: where another gateway keeps what belongs to this request; nil: in nginx's variable.
-- `exit`: how another gateway answers, by (status, body, headers); its result is returned.
function _M.admit(name, ctx, exit)
    if number_of(ctx) then return end
    local ok, why = pcall(clean)
    local ticket, status
    if ok then
        ok, why = pcall(new_ticket, ctx)
        ticket = ok and why
    end
    if ok then
        ok, status = pcall(decide, ticket, name)
        why = status
    end
    if not ok then
        if ticket then
            ticket.state = "open"
            outcome_is("open")
            pcall(release, ticket)
        end
        ngx.log(ngx.ERR, "flyball: the request passes: ", why)
        return
    end
    if status then
        return (exit or answer)(status, refusal.body(ticket.states, status, options.plan_url), {
            ["Content-Type"] = refusal.MEDIA_TYPE, ["Cache-Control"] = "no-store",
        })
    end
end

local function charge_answer(ticket)
    local used = ngx.header["X-Flyball-Units"]
    if not used then return end
    ngx.header["X-Flyball-Units"] = nil
    if type(used) == "table" then used = table.concat(used, ",") end
    for meter, units in used:gmatch("([%w._-]+)=(%d+)") do
        if ticket.terms then
            counters.charge(ticket.tenant, ticket.terms, meter, tonumber(units), ticket.since)
        end
        if ticket.tenant then usage.count(ticket.tenant, meter, tonumber(units), ngx.now()) end
    end
end

--- In header_filter_by_lua: say where the tenant stands, and take what the answer says was used.
function _M.tell(ctx)
    local number = number_of(ctx)
    local ticket = number and tickets[number]
    if not ticket then return end
    local header = ngx.header
    header["Flyball-State"] = ticket.state
    local ok, why = pcall(charge_answer, ticket)
    if ok then ok, why = pcall(fields.tell, header, ticket.states, ngx.now()) end
    if not ok then ngx.log(ngx.ERR, "flyball: ", why) end
end

local function close(ticket)
    release(ticket)
    if ticket.tenant then
        local now = ngx.now()
        usage.count(ticket.tenant, "api.requests", 1, now)
        if ticket.refused then usage.count(ticket.tenant, "api.blocked", 1, now) end
    end
end

--- In log_by_lua: give slots back, and count.
function _M.leave(ctx)
    local number = number_of(ctx)
    local ticket = number and tickets[number]
    if not ticket then return end
    tickets[number] = nil
    local ok, why = pcall(close, ticket)
    if not ok then ngx.log(ngx.ERR, "flyball: ", why) end
end

--- In content_by_lua of a location for Prometheus. No label names a tenant.
function _M.metrics()
    local shared = ngx.shared[options.counters_dict]
    local now, age = decisions.standing(ngx.now())
    ngx.header["Content-Type"] = "text/plain; version=0.0.4"
    for _, outcome in ipairs({ "passed", "refused", "unlimited", "open" }) do
        ngx.say('flyball_node_requests_total{outcome="', outcome, '"} ',
            shared:get("\toutcome\t" .. outcome) or 0)
    end
    for _, state in ipairs({ "fresh", "last_known_good", "open" }) do
        ngx.say('flyball_node_state{state="', state, '"} ', state == now and 1 or 0)
    end
    if age then ngx.say("flyball_node_snapshot_age_seconds ", string.format("%.3f", age)) end
    ngx.say("flyball_node_usage_batches_dropped ", usage.dropped())
    ngx.say("flyball_node_counters_evicted ", counters.evicted())
    ngx.say("flyball_node_decisions_unkept ", decisions.unkept())
end

return _M
