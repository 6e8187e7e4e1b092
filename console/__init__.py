"""The console: pages on which customer success sees, understands and corrects decisions.

A process of its own (``flyball console``, a child of ``flyball serve``) on its own port; no worker
of the data path ever loads it. FastAPI and Jinja render whole pages on the server; htmx swaps parts
of them where the browser runs scripts, and every page works where it does not.

Rooms
-----
``access/``
    Who is there and what they may see. ``Visitor`` is a signed-in person; ``AccessibleTenants`` and
    ``AccessibleTenant`` say which tenants, and only the authoriser makes them. A read model takes
    one of these, never a raw id. Every route hangs below ``signed_in()`` (``access/visitor.py``),
    and routes that change something ask for a :class:`~console.access.permission.Permission`.
    Every form carries the session's token; :func:`console.access.form.checked_form` reads it.
``standings/``
    The read model: one row a tenant, how it stands now, in a SQLite file of its own that follows
    the ledger, the explanations and the usage log within a second, and fills again if lost.
``design/``
    How things look: templates with ``page()``, numbers and times as people read them, bands,
    words for codes, charts as SVG with a table beside each, messages after a move.
``book/``
    My accounts: the list, its filters and columns, saved views, export.
``say/``
    What people do about accounts: overrides and the second pair of eyes, notes, tasks, contacts,
    feedback, and the same for many at once. Each form is a page of its own.
``templates/`` ``static/``
    Jinja templates (one folder a room; ``layout.html`` and ``parts.html`` are everybody's), one
    style sheet, our own small script, htmx and the typeface at exact versions.

Adding a page
-------------
Write a room with ``routes.py`` that gives a ``signed_in_router()``; name it in
``application.py``; get what you need from ``desk_of(request)`` (ledger, standings, now) and the
``Visitor``; answer with ``page(request, "room/name.html", visitor=..., ...)``. An account's page
asks ``visitor.tenant(tenant_id)`` first: it raises ``NotFound`` alike for what does not exist and
for what the visitor may not see. A POST route takes ``form: CheckedForm`` and ends with
``moved_on(request, address, "What was done.")``. After a change to a tenant call
``desk.standings.follow()``, so that the next page shows it. ``parts.html`` has what pages share:
``parts.token(csrf)`` in every form, bands, fields with their errors, empty states, figures. A new
section is a line of ``nav.html``, and its templates say ``{% set section = "name" %}``.
"""
