-- The part of Kong's plugin development kit that the plugin uses; consumers by their API key.
local consumers = {
    ["key-1"] = { id = "c1", username = "first", custom_id = "ent_1" },
    ["key-2"] = { id = "c2", username = "second", custom_id = "ent_2" },
}

return {
    client = {
        get_consumer = function() return consumers[ngx.req.get_headers()["X-API-Key"]] end,
    },
    -- One table for each request, plugin by plugin.
    ctx = setmetatable({}, {
        __index = function()
            ngx.ctx.of_plugin = ngx.ctx.of_plugin or {}
            return ngx.ctx.of_plugin
        end,
    }),
    response = {
        exit = function(status, body, headers)
            ngx.status = status
            for name, value in pairs(headers or {}) do ngx.header[name] = value end
            ngx.print(body)
            return ngx.exit(status)
        end,
    },
}
