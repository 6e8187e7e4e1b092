"""What somebody might write who means harm: for browsers, spreadsheets, templates and headers.

Each carries :data:`MARK`; a payload for browsers sets ``window.ran``, and one for templates comes
to :data:`SUM` where somebody computes it. Every text is short enough for every field.
"""

from __future__ import annotations

MARK = "zq7"
SUM = 9359
XSS = (
    "<script>window.ran='zq7'</script>",
    '"><img src=zq7 onerror=window.ran=1>',
    "'><svg/onload=window.ran='zq7'>",
    "zq7</title></textarea></style><script>ran=1</script>",
    "javascript:window.ran='zq7'//",
    '" autofocus onfocus=window.ran=1 zq7="',
    "<a href=javascript:ran=1>zq7</a><iframe srcdoc=zq7>",
    "<b hx-get=/console/help hx-trigger=load zq7=1>x</b>",
)
TEMPLATE = ("zq7{{ 7 * 191 * 7 }}", "zq7{% print(7*191*7) %}", "zq7${7*191*7}")
CSV = ('=HYPERLINK("//zq7.example")', "+zq7+1", "-zq7+1", "@SUM(zq7)")
PAYLOADS = (*XSS, *TEMPLATE, *CSV)
#: What a line break in an address or a field must not become.
HEADER = "zq7\r\nX-Injected: 1"
