-- Flyball inside APISIX: the same rules as under nginx (gateways/nginx/flyball), on APISIX's phases
-- and for its consumers. What belongs to the node is in `plugin_attr` of config.yaml, because all
-- routes share one copy of the decisions.

local core = require("apisix.core")
local plugin = require("apisix.plugin")
local gateway = require("flyball.gateway")

local schema = { type = "object", properties = {} }

local _M = {
    version = 0.1,
    -- After the authentication plugins (which run in an earlier phase), before APISIX's own limits.
    priority = 1004,
    name = "flyball",
    schema = schema,
}

function _M.check_schema(conf) return core.schema.check(schema, conf) end

-- APISIX calls this in each worker as it starts.
function _M.init()
    local given = {}
    local attributes = plugin.plugin_attr("flyball") or {}
    for name, value in pairs(attributes) do given[name] = value end
    given.source = given.source or "gateway/apisix"
    gateway.start(given)
    gateway.follow()
end

function _M.access(conf, ctx)
    return gateway.admit(ctx.consumer_name, ctx, function(status, body, headers)
        for name, value in pairs(headers) do core.response.set_header(name, value) end
        return status, body
    end)
end

function _M.header_filter(conf, ctx) gateway.tell(ctx) end

function _M.log(conf, ctx) gateway.leave(ctx) end

return _M
