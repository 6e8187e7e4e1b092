-- `plugin_attr` of config.yaml, as the test writes it into the environment of nginx's Lua.
return { plugin_attr = function(name) return name == "flyball" and stub_plugin_attr or nil end }
