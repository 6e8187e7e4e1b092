-- What a route, a service or all of Kong may set of the plugin.

local typedefs = require "kong.db.schema.typedefs"

return {
    name = "flyball",
    fields = {
        { consumer = typedefs.no_consumer },
        { protocols = typedefs.protocols_http },
        { config = {
            type = "record",
            fields = {
                -- Which of a consumer's names is the tenant's, or an alias of it.
                { identity = {
                    type = "string", required = true, default = "custom_id",
                    one_of = { "custom_id", "username", "id" },
                } },
            },
        } },
    },
}
