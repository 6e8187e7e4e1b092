-- The body of a refusal: a problem document (RFC 9457) with the limits that say no and a link to the
-- plan. It holds no probability and never speaks of capacity: what limits the tenant is its plan.

local fields = require "flyball.fields"
local text = require "flyball.json_text"

local _M = {}

_M.MEDIA_TYPE = "application/problem+json"
local TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"
local TITLE = "Request cannot be satisfied as assigned quota has been exceeded"
local WORDS = {
    [60] = "a minute", [3600] = "an hour", [86400] = "a day", [2592000] = "a month",
}

local function grouped(number)
    local digits = string.format("%d", number)
    local groups = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    return groups
end

local function amount(state)
    local number = grouped(state.limit)
    if state.kind == "concurrency" then return number .. " at the same time" end
    if state.kind == "storage" then return number .. " in total" end
    return number .. " " .. (WORDS[state.window] or "in " .. grouped(state.window) .. " seconds")
end

--- The document as JSON, for the status that it is sent with.
function _M.body(states, status, plan_url)
    local limits, names = {}, {}
    for n = 1, #states do
        local state = states[n]
        if state.refused then
            limits[#limits + 1] = state.policy .. ", " .. amount(state)
            names[#names + 1] = text.quoted(state.policy)
        end
    end
    local detail = "Your plan's limit is reached: " .. table.concat(limits, "; ") .. "."
    local retry = fields.retry_after(states)
    if status == 402 then
        detail = detail .. " More can be bought."
    elseif retry then
        detail = detail .. " Try again in " .. grouped(retry) .. " second"
            .. (retry == 1 and "." or "s.")
    end
    if plan_url then detail = detail .. " See your plan: " .. plan_url end
    local members = {
        '"type":' .. text.quoted(TYPE), '"title":' .. text.quoted(TITLE),
        '"status":' .. status, '"detail":' .. text.quoted(detail),
        '"violated-policies":[' .. table.concat(names, ",") .. "]",
    }
    if retry then members[#members + 1] = string.format('"retryAfterSeconds":%d', retry) end
    if plan_url then members[#members + 1] = '"planUrl":' .. text.quoted(plan_url) end
    return "{" .. table.concat(members, ",") .. "}"
end

return _M
