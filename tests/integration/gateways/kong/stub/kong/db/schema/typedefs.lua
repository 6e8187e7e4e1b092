-- What the plugin's schema needs of Kong's.
return {
    no_consumer = { type = "foreign", reference = "consumers", eq = ngx.null },
    protocols_http = { type = "set", elements = { type = "string" } },
}
