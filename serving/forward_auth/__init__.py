"""One endpoint that gateways ask before they pass a request on: may this tenant go ahead?"""
