"use strict";
(() => {
  const PAGE = 50, PRINTED = 100;
  const all = (what, root = document) => [...root.querySelectorAll(what)];
  const el = (name, of = {}, ...inside) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(of)) {
      if (key in node && key !== "list") node[key] = value; else node.setAttribute(key, value);
    }
    node.append(...inside.filter((one) => one !== null && one !== undefined));
    return node;
  };

  // Light and dark.
  const root = document.documentElement;
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("calma-theme");
      localStorage.setItem("calma-theme", value);
    } catch { /* a page from a file may have no memory */ }
    return null;
  };
  const theme = (value) => { if (value === "light" || value === "dark") root.dataset.theme = value; };
  const other = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
    remembered(root.dataset.theme);
  };
  theme(remembered());
  document.getElementById("theme")?.addEventListener("click", other);

  // The reader's own zone beside UTC.
  for (const time of all("time")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime()) && at.getTimezoneOffset() !== 0) time.append(` (${at.toLocaleString()} here)`);
  }

  // Tables.
  const ROW = 4; // a row begins with stream, number, view and place
  const words = (value) => {
    if (value === null || value === undefined || value === false) return "";
    if (value === true) return "yes";
    if (Array.isArray(value)) return value.map(words).join(", ");
    return String(value);
  };
  const shortTime = (text) => text.replace("T", " ").replace(/(\.\d+)?Z$/, "");
  const label = (name) => name.replaceAll("_", " ");

  class Facts {
    constructor(details) {
      this.details = details;
      this.kind = details.dataset.kind;
      this.count = details.querySelector(".count");
      this.total = this.count.textContent;
      this.filter = ""; this.search = ""; this.sort = null; this.down = false; this.page = 0; this.opened = new Set();
      details.addEventListener("toggle", () => { if (details.open) this.draw(); });
    }
    load() {
      if (this.rows) return;
      const node = document.getElementById(`data-${this.kind}`);
      const data = JSON.parse(node.textContent);
      node.remove();
      Object.assign(this, { columns: data.columns, main: data.main, rows: data.rows, streams: data.streams, views: data.views });
      this.order = this.rows.map((_, at) => at);
      this.tree();
    }
    // A kind with an own id and its parent's is a tree: children stand below their parents.
    tree() {
      const id = this.columns.findIndex((column) => column[1] === "pid");
      const parent = this.columns.findIndex((column) => column[1] === "parent");
      this.depth = null;
      if (id < 0 || parent < 0) return;
      const below = new Map(), known = new Set(this.rows.map((row) => row[ROW + id]));
      this.rows.forEach((row, at) => {
        const up = row[ROW + parent];
        const key = known.has(up) && up !== row[ROW + id] ? up : null;
        below.has(key) ? below.get(key).push(at) : below.set(key, [at]);
      });
      for (const list of below.values()) list.sort((a, b) => this.rows[a][ROW + id] - this.rows[b][ROW + id]);
      this.depth = new Array(this.rows.length).fill(0);
      const order = [], seen = new Set(), stack = (below.get(null) ?? []).map((at) => [at, 0]).reverse();
      while (stack.length) {
        const [at, depth] = stack.pop();
        if (seen.has(at)) continue;
        seen.add(at); order.push(at); this.depth[at] = depth;
        for (const child of [...(below.get(this.rows[at][ROW + id]) ?? [])].reverse()) stack.push([child, depth + 1]);
      }
      this.rows.forEach((_, at) => { if (!seen.has(at)) order.push(at); });
      this.order = order;
    }
    text(at) {
      this.texts ??= [];
      return (this.texts[at] ??= this.rows[at].slice(ROW).map(words).join("\u0001").toLowerCase()
        + (this.rows[at][3] === 0 ? "" : `\u0001${this.rows[at][3]}`.toLowerCase()));
    }
    cell(at, column) { return this.rows[at][ROW + column]; }
    matching() {
      const wanted = [this.filter, this.search].filter(Boolean).map((text) => text.toLowerCase());
      let found = this.order;
      if (wanted.length) found = found.filter((at) => wanted.every((text) => this.text(at).includes(text)));
      if (this.sort !== null) {
        const key = (at) => { const value = this.cell(at, this.sort); return typeof value === "number" ? value : words(value); };
        const keys = new Map(found.map((at) => [at, key(at)]));
        found = [...found].sort((a, b) => {
          const [x, y] = [keys.get(a), keys.get(b)];
          if (typeof x === "number" && typeof y === "number") return x - y;
          if (x === "" || y === "") return (x === "") - (y === "");
          return String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0;
        });
        if (this.down) found.reverse();
      }
      return found;
    }
    build() {
      const input = el("input", { type: "search", placeholder: "Filter", spellcheck: false, autocomplete: "off" });
      input.setAttribute("aria-label", "Filter these rows");
      let waiting;
      input.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => { this.filter = input.value.trim(); this.page = 0; this.show(); }, 120);
      });
      this.where = el("span", { className: "where" });
      this.where.setAttribute("aria-live", "polite");
      this.back = el("button", { type: "button", onclick: () => { this.page -= 1; this.show(); } }, "Previous");
      this.forth = el("button", { type: "button", onclick: () => { this.page += 1; this.show(); } }, "Next");
      this.body = el("tbody");
      const heads = this.main.map((column) => {
        const [name, , doc] = this.columns[column];
        return el("th", { scope: "col", title: doc }, el("button", { type: "button", onclick: () => this.by(column) }, label(name)));
      });
      this.heads = heads;
      const table = el("table", {}, el("thead", {}, el("tr", {}, el("td", { className: "open" }), ...heads)), this.body);
      table.setAttribute("aria-label", this.details.querySelector(".title").textContent);
      const holder = this.details.querySelector(".rows");
      holder.replaceChildren(
        el("div", { className: "tools" }, input, this.where, this.back, this.forth),
        el("div", { className: "scroll" }, table));
      this.input = input;
    }
    by(column) {
      if (this.sort !== column) { this.sort = column; this.down = false; }
      else if (!this.down) this.down = true;
      else { this.sort = null; this.down = false; }
      this.page = 0;
      this.show();
    }
    draw() {
      this.load();
      if (!this.body) this.build();
      this.show();
    }
    show(size = PAGE) {
      if (!this.body) return;
      const found = this.matching();
      const pages = Math.max(1, Math.ceil(found.length / size));
      this.page = Math.min(Math.max(0, this.page), pages - 1);
      const from = this.page * size, shown = found.slice(from, from + size);
      this.heads.forEach((head, at) => {
        const way = this.sort === this.main[at] ? (this.down ? "descending" : "ascending") : "none";
        head.setAttribute("aria-sort", way);
      });
      this.body.replaceChildren(...shown.flatMap((at) => this.line(at)));
      const many = found.length.toLocaleString("en");
      this.where.textContent = found.length ? `${(from + 1).toLocaleString("en")}–${(from + shown.length).toLocaleString("en")} of ${many}` : "No row matches.";
      this.back.disabled = this.page === 0;
      this.forth.disabled = this.page >= pages - 1;
      this.back.hidden = this.forth.hidden = pages === 1;
    }
    record(at) { const row = this.rows[at]; return `${this.streams[row[0]]}#${row[1]}`; }
    line(at) {
      const open = this.opened.has(at);
      const button = el("button", { type: "button", onclick: () => { open ? this.opened.delete(at) : this.opened.add(at); this.show(); this.mark(at); } }, open ? "−" : "+");
      button.setAttribute("aria-expanded", String(open));
      button.setAttribute("aria-label", "All columns of this row");
      const nested = this.depth && this.sort === null && !this.filter && !this.search;
      const cells = this.main.map((column, number) => {
        const [name, role] = this.columns[column];
        const value = this.cell(at, column);
        let text = words(value), kind = "";
        // Permission bits, as everybody writes them.
        if (name === "mode" && typeof value === "number") { text = value.toString(8).padStart(4, "0"); kind = "number"; }
        else if (role === "time") { text = shortTime(text); kind = "time"; }
        else if (typeof value === "number") kind = "number";
        else if (["path", "secret", "address", "digest", "unit"].includes(role)) kind = "code";
        if (text.length > 180) text = `${text.slice(0, 180)}…`;
        const cell = el("td", { className: kind }, number === 0 && nested && this.depth[at]
          ? el("span", { className: `depth-${Math.min(6, this.depth[at])}` }, text) : text);
        cell.dataset.label = label(name);
        return cell;
      });
      const row = el("tr", {}, el("td", { className: "open" }, button), ...cells);
      row.dataset.at = at;
      if (!open) return [row];
      const [, , view, place] = this.rows[at];
      const first = this.columns.findIndex((column) => column[1] === "path");
      const [how, forger] = this.views[view];
      const shown = (name, value) => name === "mode" && typeof value === "number" ? value.toString(8).padStart(4, "0") : words(value);
      const pairs = this.columns.map(([name, , doc], column) => [label(name), shown(name, this.cell(at, column)), doc]).filter(([, value]) => value !== "");
      pairs.push(["read from", place === 0 ? words(this.cell(at, first)) : place, "Where it was seen"], ["how", `${how}, ${forger}`, "How it was read, and who could have forged it"], ["record", this.record(at), "Where it stands in the case"]);
      const list = el("dl", { className: "row-of" }, ...pairs.map(([name, value, doc]) => el("div", {}, el("dt", { title: doc }, name), el("dd", {}, value))));
      const more = el("tr", { className: "more-of" }, el("td", { colSpan: this.main.length + 1 }, list));
      return [row, more];
    }
    mark(at) {
      const row = this.body.querySelector(`tr[data-at="${at}"]`);
      row?.querySelector("button")?.focus({ preventScroll: true });
      return row;
    }
    // Opens the table at one record.
    go(record) {
      this.load();
      const at = this.rows.findIndex((_, at) => this.record(at) === record);
      if (at < 0) return;
      this.filter = ""; this.search = "";
      if (this.input) this.input.value = "";
      this.sort = null;
      this.opened.add(at);
      this.page = Math.floor(this.order.indexOf(at) / PAGE);
      this.details.open = true;
      this.draw();
      const row = this.mark(at);
      row?.classList.add("marked");
      row?.scrollIntoView({ block: "center" });
    }
    // Rows that hold what is searched on the whole page.
    seek(text) {
      this.search = text;
      this.page = 0;
      if (text) this.load();
      const found = text ? this.matching().length : null;
      this.count.textContent = found === null ? this.total : `${found.toLocaleString("en")} of ${this.total}`;
      this.details.hidden = found === 0;
      if (this.details.open) this.show();
      return found ?? 0;
    }
    print(on) {
      if (on) { this.load(); if (!this.body) this.build(); this.kept = this.page; this.page = 0; this.show(PRINTED); }
      else { this.page = this.kept ?? 0; this.show(); }
    }
  }
  const tables = all("details.table").map((details) => new Facts(details));
  const table = (kind) => tables.find((one) => one.kind === kind);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a.record");
    if (!link) return;
    event.preventDefault();
    const there = table(link.dataset.kind);
    // The jump can be undone by the browser's way back.
    history.pushState(null, "", link.getAttribute("href"));
    there?.go(link.dataset.record);
  });
  const arrive = () => {
    const there = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (there?.tagName === "DETAILS") there.open = true;
  };
  addEventListener("hashchange", arrive);
  arrive();

  // One search over stories, findings, gaps and every row.
  const find = document.getElementById("find"), found = document.getElementById("found");
  const pieces = all(".story, .finding.stop, .gaps li, .pieces li");
  let waiting;
  const seek = () => {
    const text = find.value.trim().toLowerCase();
    let count = 0;
    for (const piece of pieces) {
      const there = !text || piece.textContent.toLowerCase().includes(text);
      piece.hidden = !there;
      if (text && there) count += 1;
    }
    let rows = 0;
    for (const one of tables) rows += one.seek(text);
    found.textContent = text ? `${count} above, ${rows.toLocaleString("en")} rows` : "";
  };
  find?.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(seek, 180); });

  // Keys.
  const stops = () => all(".stop").filter((one) => !one.hidden && one.offsetParent !== null);
  const step = (by) => {
    const list = stops();
    if (!list.length) return;
    let at = list.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
    if (at < 0) at = by > 0 ? list.findIndex((one) => one.getBoundingClientRect().top > 10) - 1 : list.findLastIndex((one) => one.getBoundingClientRect().top < -10) + 1;
    const next = list[Math.min(list.length - 1, Math.max(0, at + by))];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input, textarea, select");
    if (typing) {
      if (event.key === "Escape" && typing.value) { typing.value = ""; typing.dispatchEvent(new Event("input")); }
      else if (event.key === "Escape") typing.blur();
      return;
    }
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/" && find) find.focus();
    else if (event.key === "t") other();
    else if (event.key === "Enter" && event.target.matches?.("details.stop")) event.target.open = !event.target.open;
    else return;
    event.preventDefault();
  });

  // On paper everything is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const one of tables) one.print(true);
    for (const one of closed) one.open = true;
    for (const one of tables) {
      const left = one.rows.length - PRINTED;
      if (left > 0) one.details.querySelector(".rows").append(el("p", { className: "none on-paper" }, `and ${left.toLocaleString("en")} more rows on the screen`));
    }
  });
  addEventListener("afterprint", () => {
    for (const one of all(".on-paper")) one.remove();
    for (const one of closed) one.open = false;
    for (const one of tables) one.print(false);
  });
  root.dataset.ready = "yes";
})();
