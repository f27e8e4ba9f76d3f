// The page: reads the lines of data, filters, lists, sorts, answers the pointer.

const byId = name => document.getElementById(name);
const KINDS = { f: 7, p: 5, end: 3, incomplete: 2 };

// Each line of data is an array: a family, a protein with its hits, or how the page ends.
function parse(text) {
  const families = new Map(), proteins = [];
  let end = null, why = "";
  for (const line of text.split("\n")) {
    if (!line) continue;
    let row;
    try { row = JSON.parse(line); } catch { continue; } // the line at which a page breaks off
    if (row.length !== KINDS[row[0]]) continue;
    if (row[0] === "f") families.set(row[1], family(row));
    else if (row[0] === "p") proteins.push(protein(row, families, proteins.length));
    else if (row[0] === "end") end = row[1];
    else why = row[1];
  }
  return { families, proteins, whole: end === proteins.length && !why, why };
}

function family([, , name, accession, clan, length, description]) {
  const stem = accession.replace(/\.\d+$/, "");
  return { name, accession, clan, length, description, stem, key: clan || stem || name,
    link: /^PF\d{5}$/.test(stem) ? `https://www.ebi.ac.uk/interpro/entry/pfam/${stem}/` : null,
    clanLink: /^CL\d{4}$/.test(clan) ? `https://www.ebi.ac.uk/interpro/set/pfam/${clan}/` : null,
    text: [name, accession, clan, description].join("\n").toLowerCase() };
}

function protein([, name, description, length, hits], families, number) {
  const made = { name, description, length, number, domains: [] };
  for (const [index, source, evalue, score, domains] of hits)
    for (const [from, to, envFrom, envTo, hmmFrom, hmmTo, ownEvalue, ownScore, kind] of domains)
      made.domains.push({ protein: made, family: families.get(index), source, whole: { evalue, score }, from, to, envFrom, envTo, hmmFrom, hmmTo,
        evalue: ownEvalue, score: ownScore, included: Boolean(kind & 1), weak: !(kind & 2), best: Boolean(kind & 4), sisters: [] });
  for (const domain of made.domains.filter(one => !one.best)) {
    const shared = other => Math.min(domain.to, other.to) - Math.max(domain.from, other.from) + 1;
    const over = made.domains.filter(other => other.best && other.family.key === domain.family.key && shared(other) > 0 && (domain.weak || !other.weak));
    over.sort((a, b) => shared(b) - shared(a))[0]?.sisters.push(domain);
  }
  made.text = `${name}\n${description}`.toLowerCase();
  return made;
}

const state = { view: "picture", q: "", which: "all", order: "file", scale: "", weak: "", sisters: "", clan: "", sort: "", down: "" };
let data, fits = [], lists = {};

const visible = protein => protein.domains.filter(domain => (state.weak || !domain.weak) && (state.sisters || domain.best));

function select() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  fits = data.proteins.filter(protein => {
    const domains = visible(protein);
    if (state.which !== "all" && (domains.length > 0) !== (state.which === "with")) return false;
    if (state.clan && !domains.some(domain => domain.family.key === state.clan)) return false;
    const named = domains.flatMap(domain => [domain, ...domain.sisters]);
    return words.every(word => protein.text.includes(word) || named.some(domain => domain.family.text.includes(word)));
  });
}

// A long list whose parts are made when they come near the window, and unmade when they are far.
class Lazy {
  constructor(size, tag, draw, height, holder) { Object.assign(this, { size, tag, draw, height, holder }); }

  show(host, items) {
    this.watcher?.disconnect();
    this.watcher = new IntersectionObserver(seen => seen.forEach(one => this.turn(one.target, one.isIntersecting)), { rootMargin: "1200px 0px" });
    this.groups = [];
    for (let start = 0; start < items.length; start += this.size) {
      const group = html(this.tag, { class: "group" });
      group.items = items.slice(start, start + this.size);
      this.empty(group, group.items.reduce((sum, item) => sum + this.height(item), 0));
      this.groups.push(group);
    }
    host.replaceChildren(...this.groups);
    this.groups.forEach((group, number) => { if (number === 0) this.turn(group, true); this.watcher.observe(group); });
  }

  empty(group, height) { group.replaceChildren(this.holder(height)); group.full = false; }

  turn(group, near) {
    if (near === group.full) return;
    if (near) { group.replaceChildren(...group.items.map(this.draw)); group.full = true; }
    else if (this.groups.length > 2 && !group.contains(document.activeElement)) this.empty(group, group.offsetHeight);
  }

  all() { this.groups?.forEach(group => this.turn(group, true)); }
}

function row(protein) {
  const domains = visible(protein), weak = protein.domains.filter(domain => domain.weak).length, host = byId("picture");
  const beside = host.clientWidth > 700 ? 280 : 26, width = Math.max(200, host.clientWidth - beside);
  const longest = state.scale === "one" ? data.longest : protein.length;
  const notes = [`${grouped(protein.length)} aa`, domains.length ? plural(domains.length, "domain", "domains") : "no domains"];
  if (weak && !state.weak) notes.push(`${weak} weak`);
  return html("div", { class: "protein", role: "listitem" },
    html("div", null, html("div", { class: "name", title: protein.name }, protein.name),
      protein.description ? html("div", { class: "what", title: protein.description }, protein.description) : null,
      html("div", { class: "note" }, notes.join(" \u00b7 "))),
    drawProtein(protein, domains, width, longest, state.clan));
}

const expected = protein => Math.max(ROW + LABEL, protein.description ? 86 : 62);

const COLUMNS = [ // heading, width, class, what it sorts by, what a cell shows
  ["Protein", "15%", "", d => d.protein.name, d => d.protein.name],
  ["Family", "13%", "", d => d.family.name, d => html("span", null, swatch(d.family.key), d.family.name)],
  ["Accession", "9%", "", d => d.family.accession, d => link(d.family.link, d.family.accession || "\u2013")],
  ["Clan", "7%", "", d => d.family.clan, d => link(d.family.clanLink, d.family.clan || "\u2013")],
  ["Description", "17%", "", d => d.family.description, d => d.family.description],
  ["From", "6%", "number", d => d.from, d => d.from], ["To", "6%", "number", d => d.to, d => d.to],
  ["Profile", "10%", "number", d => d.hmmFrom, d => `${d.hmmFrom}\u2013${d.hmmTo}/${d.family.length}`],
  ["E-value", "8%", "number", d => d.evalue, d => short(d.evalue)],
  ["Score", "6.5%", "number", d => d.score, d => d.score.toFixed(1)],
  ["Source", "8%", "", d => d.source, d => d.source],
];

const link = (target, text) => target ? html("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, text) : text;

function cells(domain) {
  return html("tr", { class: domain.weak ? "weak" : null }, ...COLUMNS.map(([, , kind, , shown]) => {
    const value = shown(domain);
    return html("td", { class: kind || null, title: typeof value === "string" ? value : null }, value);
  }));
}

function sorted(rows) {
  const column = COLUMNS.find(([name]) => name === state.sort);
  if (!column) return rows;
  const value = column[3], way = state.down ? -1 : 1, words = new Intl.Collator("en", { numeric: true });
  return rows.sort((a, b) => {
    const one = value(a), other = value(b);
    return way * (typeof one === "number" ? one - other : words.compare(one, other)) || a.protein.number - b.protein.number || a.from - b.from;
  });
}

function drawTable() {
  const heads = COLUMNS.map(([name, width, kind]) => {
    const button = html("button", { type: "button" }, name);
    button.onclick = () => set({ sort: name, down: state.sort === name && !state.down ? "1" : "" });
    const way = state.sort === name ? (state.down ? "descending" : "ascending") : null;
    return html("th", { scope: "col", class: kind || null, style: `width:${width}`, "aria-sort": way }, button);
  });
  const table = html("table", null, html("caption", { class: "unseen" }, "Hits; the buttons in the head sort them"), html("thead", null, html("tr", null, ...heads)));
  const body = html("div"), rows = sorted(fits.flatMap(visible).filter(domain => !state.clan || domain.family.key === state.clan));
  lists.table.show(body, rows);
  table.append(...body.childNodes);
  const focused = byId("table").contains(document.activeElement) ? document.activeElement.textContent : null;
  byId("table").replaceChildren(table);
  if (focused) [...table.querySelectorAll("th button")].find(button => button.textContent === focused)?.focus();
}

const ordered = () => ORDERS[state.order] ? [...fits].sort(ORDERS[state.order]) : fits;

const ORDERS = { name: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }), length: (a, b) => b.length - a.length,
  domains: (a, b) => visible(b).length - visible(a).length };

function draw() {
  hideCard(true);
  select();
  const table = state.view === "table";
  byId("picture").hidden = table;
  byId("table").hidden = !table;
  document.querySelectorAll(".picture-only").forEach(node => { node.hidden = table; });
  if (table) drawTable();
  else lists.picture.show(byId("picture"), ordered());
  byId("shown").textContent = fits.length === data.proteins.length ? "" : `${grouped(fits.length)} of ${plural(data.proteins.length, "protein", "proteins")}`;
  byId("nothing").hidden = fits.length > 0 || data.proteins.length === 0;
  if (!fits.length) byId("table").hidden = true;
  document.querySelectorAll("#legend button[data-key]").forEach(node => node.setAttribute("aria-pressed", node.dataset.key === state.clan));
}
