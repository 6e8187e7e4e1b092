-- The part of APISIX's core that the plugin uses.
return {
    schema = {
        check = function(schema, conf)
            return type(conf) == (schema.type == "object" and "table" or schema.type)
        end,
    },
    response = { set_header = function(name, value) ngx.header[name] = value end },
}
