-- Flyball inside Kong: the same rules as under nginx (gateways/nginx/flyball), on Kong's phases and
-- for Kong's consumers. What belongs to the node comes from the environment, because all routes share
-- one copy of the decisions; what belongs to a route is in schema.lua.

local gateway = require "flyball.gateway"

local Flyball = {
    -- After Kong's authentication plugins, where its rate limiting stands.
    PRIORITY = 910,
    VERSION = "1.0.0",
}

local function setting(name) return os.getenv("FLYBALL_" .. name) end

-- Kong loads this while nginx starts, before workers exist.
gateway.start {
    folder = setting("FOLDER"), kill_file = setting("KILL_FILE"), plan_url = setting("PLAN_URL"),
    spool = setting("SPOOL"), usage_url = setting("USAGE_URL"),
    usage_token_file = setting("USAGE_TOKEN_FILE"), source = setting("SOURCE") or "gateway/kong",
    share = tonumber(setting("SHARE")), flush_seconds = tonumber(setting("FLUSH_SECONDS")),
    -- Kong tells the service behind who asks in these, and so no client may.
    remove = { "X-Tenant-ID" },
}

function Flyball:init_worker() gateway.follow() end

function Flyball:access(conf)
    local consumer = kong.client.get_consumer()
    local name = consumer and consumer[conf.identity]
    return gateway.admit(name, kong.ctx.plugin, kong.response.exit)
end

function Flyball:header_filter() gateway.tell(kong.ctx.plugin) end

function Flyball:log() gateway.leave(kong.ctx.plugin) end

return Flyball
