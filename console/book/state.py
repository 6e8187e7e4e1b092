"""The state of the list as its address says it: every state is a link, and every link a state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from urllib.parse import parse_qsl, urlencode

from console.book.columns import BY_KEY, SHOWN
from console.design.band import USUAL, Banding
from console.standings.search import ORDERS, Filters

SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50
RENEWALS = (30, 60, 90, 180)
_WORDS = {
    "risk": ("high", "medium", "low", "unknown"),
    "upgrade": ("high", "medium", "low", "unknown"),
    "limit": ("tight", "room", "neutral", "person"),
    "task": ("open", "overdue"),
}
_FALLING = {column.order for column in BY_KEY.values() if column.falling} | {"attention"}
_LAST_PAGE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BookState:
    """Filters, order, page and columns of the list."""

    filters: Filters = field(default_factory=Filters)
    order: str = "attention"
    descending: bool = True
    page: int = 1
    size: int = DEFAULT_SIZE
    columns: tuple[str, ...] = SHOWN

    @property
    def query(self) -> str:
        """The query string, without what is as it would be anyway."""
        pairs = []
        for item in fields(Filters):
            if item.name == "bands":
                continue
            value = getattr(self.filters, item.name)
            if value:
                pairs.append((item.name, "1" if value is True else str(value)))
        if (self.order, self.descending) != ("attention", True):
            pairs.append(("sort", self.sort))
        if self.columns != SHOWN:
            pairs.append(("cols", ".".join(self.columns)))
        if self.size != DEFAULT_SIZE:
            pairs.append(("size", str(self.size)))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        return urlencode(pairs)

    @property
    def sort(self) -> str:
        """The order as the address says it: ``-churn`` falls."""
        return ("-" if self.descending else "") + self.order

    @property
    def link(self) -> str:
        """This state's address."""
        return "/console/" + (f"?{self.query}" if self.query else "")

    def sorted_by(self, order: str) -> BookState:
        """What a click on a heading leads to: its order, or the other way round."""
        falling = not self.descending if order == self.order else order in _FALLING
        return replace(self, order=order, descending=falling, page=1)

    def on_page(self, page: int) -> BookState:
        """The same on another page."""
        return replace(self, page=max(1, page))

    def only(self, **filters: object) -> BookState:
        """The same with other filters, from the first page on."""
        return replace(self, filters=replace(self.filters, **filters), page=1)  # type: ignore[arg-type]

    @property
    def with_usual_columns(self) -> BookState:
        """The same with the columns that are there before anybody chooses."""
        return replace(self, columns=SHOWN)

    @property
    def hidden_fields(self) -> list[tuple[str, str]]:
        """Filters and order as fields of a form that chooses columns and size itself."""
        kept = replace(self, columns=SHOWN, size=DEFAULT_SIZE, page=1)
        return parse_qsl(kept.query)

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return self.filters != Filters(bands=self.filters.bands)


def state_of(
    query: Mapping[str, str], *, columns: tuple[str, ...] = (), bands: Banding = USUAL
) -> BookState:
    """Read an address; what is not understood is left out, so that old links go on working.

    Parameters
    ----------
    columns:
        Columns ticked in the chooser, which come as repeated fields.
    bands:
        What the words of the filters ``risk`` and ``upgrade`` mean here.
    """
    sort = query.get("sort", "-attention")
    order = sort.removeprefix("-")
    if order not in ORDERS:
        order, sort = "attention", "-attention"
    chosen = columns or tuple(query.get("cols", "").split("."))
    kept = tuple(key for key in BY_KEY if key in chosen and key != "account")
    return BookState(
        filters=_filters(query, bands),
        order=order,
        descending=sort.startswith("-"),
        page=min(_whole(query.get("page", ""), 1) or 1, _LAST_PAGE),
        size=size if (size := _whole(query.get("size", ""), 0)) in SIZES else DEFAULT_SIZE,
        columns=("account", *kept) if kept else SHOWN,
    )


def _filters(query: Mapping[str, str], bands: Banding) -> Filters:
    def text(name: str) -> str:
        return query.get(name, "").strip()[:120]

    words = {name: text(name) if text(name) in known else "" for name, known in _WORDS.items()}
    renewal = _whole(query.get("renewal", ""), 0)
    return Filters(
        q=text("q"), owner=text("owner"), plan=text("plan"), segment=text("segment"),
        region=text("region"), renewal=renewal if renewal in RENEWALS else 0,
        changed=text("changed") == "1", left=text("left") == "1", bands=bands, **words,
    )  # fmt: skip


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise
