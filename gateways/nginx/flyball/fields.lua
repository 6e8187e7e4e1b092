-- Header fields: which a client may not send, and which tell a tenant where it stands.
--
-- RateLimit-Policy and RateLimit are as of draft-ietf-httpapi-ratelimit-headers-10. Nothing in them
-- comes from a model.

local _M = {}

local ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
local format, find, lower = string.format, string.find, string.lower

local LARGEST = 999999999999999
local OURS = {
    ["flyball-state"] = true, ["flyball-tenant"] = true, ["flyball-counters"] = true,
    ["ratelimit"] = true, ["ratelimit-policy"] = true,
}

--- Whether a request may not carry this field: a client could be forging it.
function _M.is_ours(name)
    name = lower(name)
    return OURS[name] or find(name, "x-flyball-", 1, true) == 1
        or find(name, "x-ratelimit-", 1, true) == 1
end

local quotes, quoted_texts = {}, 0

local function quoted(text)
    local found = quotes[text]
    if not found then
        found = '"' .. text:gsub("[^ -~]", "?"):gsub('[\\"]', "\\%0") .. '"'
        if quoted_texts >= 4096 then quotes, quoted_texts = {}, 0 end
        quotes[text], quoted_texts = found, quoted_texts + 1
    end
    return found
end

local policies, kept = {}, 0

local function policy_of(state)
    local key = state.policy .. "\t" .. state.limit .. "\t" .. (state.window or "")
    local text = policies[key]
    if not text then
        text = quoted(state.policy) .. format(";q=%d", min(state.limit, LARGEST))
        if state.kind == "concurrency" then
            text = text .. ';qu="concurrent-requests"'
        else
            if state.meter ~= "api.requests" then text = text .. ";qu=" .. quoted(state.meter) end
            if state.window then text = text .. ";w=" .. state.window end
        end
        if kept >= 4096 then policies, kept = {}, 0 end
        policies[key], kept = text, kept + 1
    end
    return text
end

local function reset_seconds(state)
    -- On a refusal all fields speak of the moment that Retry-After does.
    local millis = state.refused and state.wait > 0 and state.wait or state.reset
    return millis and ceil(millis / 1000)
end

local function standing_of(state)
    local item = quoted(state.policy) .. format(";r=%d", min(state.remaining, LARGEST))
    local resets = reset_seconds(state)
    return resets and item .. ";t=" .. resets or item
end

-- The two lists; nil where there is nothing to tell.
local function lists_of(states)
    local told, standing = {}, {}
    for n = 1, #states do
        local state = states[n]
        if state.kind ~= "storage" then
            told[#told + 1] = policy_of(state)
            standing[#standing + 1] = standing_of(state)
        end
    end
    if told[1] then return table.concat(told, ", "), table.concat(standing, ", ") end
end

--- The limit with the smallest share left; of the refusing ones, where there are any.
function _M.tightest(states)
    if not states[2] then return states[1] end
    local found
    for _, refusing in ipairs({ true, false }) do
        for n = 1, #states do
            local state = states[n]
            if (state.refused or false) == refusing and (not found
                or state.remaining / state.limit < found.remaining / found.limit) then
                found = state
            end
        end
        if found then return found end
    end
end

--- Whole seconds (≥ 1) after which the same request could pass; nil: time does not help.
function _M.retry_after(states)
    local longest
    for n = 1, #states do
        local state = states[n]
        if state.refused then
            if state.wait <= 0 then return nil end
            longest = max(longest or 0, state.wait)
        end
    end
    return longest and max(1, ceil(longest / 1000))
end

--- 402 where only paid allowances say no, else 429.
function _M.status(states)
    for n = 1, #states do
        if states[n].refused and not states[n].paid then return 429 end
    end
    return 402
end

--- Put the fields into `header` (a table such as ngx.header).
function _M.tell(header, states, now)
    local tightest = _M.tightest(states)
    if not tightest then return end
    local told, standing
    if states[2] or tightest.kind == "storage" then
        told, standing = lists_of(states)
    else
        told, standing = policy_of(tightest), standing_of(tightest)
    end
    if told then
        header["RateLimit-Policy"] = told
        header["RateLimit"] = standing
    end
    header["X-RateLimit-Limit"] = format("%d", tightest.limit)
    header["X-RateLimit-Remaining"] = format("%d", tightest.remaining)
    local resets = reset_seconds(tightest)
    header["X-RateLimit-Reset"] = resets and format("%d", floor(ceil(now) + resets)) or nil
    -- The tightest limit is one that refuses, where any does.
    local retry = tightest.refused and _M.retry_after(states)
    if retry then header["Retry-After"] = format("%d", retry) end
end

return _M
