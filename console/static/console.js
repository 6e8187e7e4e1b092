// Keys for lists: / search, j and k move, o opens, ? help. Everything works without this file.
"use strict";
(() => {
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(el.tagName));
  const rows = () => Array.from(document.querySelectorAll("[data-row]"));
  let at = -1;

  const show = (index) => {
    const all = rows();
    if (!all.length) return;
    at = Math.max(0, Math.min(all.length - 1, index));
    all.forEach((row, n) => row.classList.toggle("current", n === at));
    const link = all[at].querySelector("[data-open]");
    if (link) link.focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const search = document.querySelector("[data-search]");
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "j") show(at + 1);
    else if (event.key === "k") show(at < 0 ? 0 : at - 1);
    else if (event.key === "o" && at >= 0) {
      const link = rows()[at] && rows()[at].querySelector("[data-open]");
      if (link) link.click();
    } else if (event.key === "?") window.location.assign("/console/help");
    else if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((d) => d.removeAttribute("open"));
  });

  // A row that gets the focus by Tab is the current one too.
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest && event.target.closest("[data-row]");
    if (row) {
      at = rows().indexOf(row);
      rows().forEach((other) => other.classList.toggle("current", other === row));
    }
  });
  document.addEventListener("htmx:afterSettle", () => { at = -1; });
  // "Select all" boxes exist only where scripts run.
  document.addEventListener("change", (event) => {
    const all = event.target.closest && event.target.closest("[data-select-all]");
    if (all) document.querySelectorAll("[data-select]").forEach((box) => { box.checked = all.checked; });
  });
})();
