// Controls, legend, the card of a domain, and the start.

const DEFAULTS = { ...state };

function set(changes) {
  Object.assign(state, changes);
  const said = Object.entries(state).filter(([name, value]) => value && value !== DEFAULTS[name]);
  try { history.replaceState(null, "", said.length ? `#${new URLSearchParams(said)}` : "#"); } catch { /* a page in a frame has no address */ }
  draw();
}

// What follows the # of the address, so that a view can be kept and passed on.
function fromAddress() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
    if (Object.hasOwn(state, name)) state[name] = value;
}

function controls() {
  for (const input of document.querySelectorAll("input[name=view]")) {
    input.checked = input.value === state.view;
    input.onchange = () => set({ view: input.value });
  }
  for (const name of ["which", "order", "scale"]) {
    byId(name).value = state[name];
    byId(name).onchange = () => set({ [name]: byId(name).value });
  }
  byId("search").value = state.q;
  let wait;
  byId("search").oninput = () => { clearTimeout(wait); wait = setTimeout(() => set({ q: byId("search").value.trim() }), 120); };
  byId("weak").checked = Boolean(state.weak);
  byId("weak").onchange = () => { set({ weak: byId("weak").checked ? "1" : "" }); legend(); };
  byId("sisters").checked = Boolean(state.sisters);
  byId("sisters").onchange = () => { set({ sisters: byId("sisters").checked ? "1" : "" }); legend(); };
  byId("more").onclick = () => byId("more").setAttribute("aria-expanded", document.body.classList.toggle("open"));
  byId("svg").onclick = () => download("domains.svg", "image/svg+xml", asSvg());
  byId("tsv").onclick = () => download("domains.tsv", "text/tab-separated-values", asTsv());
  byId("clear").onclick = () => { set({ q: "", which: "all", clan: "" }); byId("search").value = ""; byId("which").value = "all"; };
  byId("tools").onsubmit = event => event.preventDefault();
  byId("tools").hidden = false;
}

const isNarrow = () => innerWidth <= 760;
const shownClans = () => isNarrow() ? 5 : 12;

function legend(everything = false) {
  const clans = new Map();
  for (const domain of data.proteins.flatMap(visible)) {
    const { key, clan, name } = domain.family, entry = clans.get(key) || { key, clan, names: new Map(), n: 0 };
    entry.n += 1;
    entry.names.set(name, (entry.names.get(name) || 0) + 1);
    clans.set(key, entry);
  }
  const most = [...clans.values()].sort((a, b) => b.n - a.n || (a.key < b.key ? -1 : 1));
  const buttons = most.slice(0, everything ? most.length : shownClans()).map(({ key, clan, names, n }) => {
    const members = [...names].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    const text = (clan ? `${clan} ` : "") + members.slice(0, 3).join(", ") + (members.length > 3 ? " \u2026" : "");
    const button = html("button", { type: "button", "data-key": key, "aria-pressed": key === state.clan, title: `Show only ${clan || "the family"} (${members.slice(0, 30).join(", ")})` },
      swatch(key), html("span", { class: "text" }, text), html("span", { class: "n" }, grouped(n)));
    button.onclick = () => set({ clan: state.clan === key ? "" : key });
    return button;
  });
  if (most.length > buttons.length) {
    const more = html("button", { type: "button" }, `${plural(most.length - buttons.length, "more", "more")} \u2026`);
    more.onclick = () => { legend(true); byId("legend").querySelectorAll("button")[shownClans()].focus(); };
    buttons.push(more);
  }
  byId("legend").replaceChildren(...buttons);
  byId("legend").hidden = !most.length;
}

let pinned = null;

function showCard(node, pin) {
  const { family, ...domain } = node.domain, card = byId("card"), box = node.getBoundingClientRect();
  const rows = [["Residues", `${domain.from}\u2013${domain.to} of ${grouped(domain.protein.length)}`], ["Envelope", `${domain.envFrom}\u2013${domain.envTo}`],
    ["Profile", `${domain.hmmFrom}\u2013${domain.hmmTo} of ${family.length}`], ["E-value", short(domain.evalue)], ["Score", `${domain.score.toFixed(1)} bits`],
    ["Whole protein", `E ${short(domain.whole.evalue)}, ${domain.whole.score.toFixed(1)} bits`], ["Clan", family.clan || "none"],
    ["Found by", SOURCES[domain.source] + (domain.weak ? " (weak)" : "")]];
  const sisters = domain.sisters.map(sister => `${sister.family.name} (E ${short(sister.evalue)})`);
  if (sisters.length) rows.push(["Sisters", sisters.slice(0, 8).join(", ") + (sisters.length > 8 ? " \u2026" : "")]);
  card.replaceChildren(html("h2", null, swatch(family.key), " ", family.name, family.accession ? ` ${family.accession}` : ""), html("p", null, family.description),
    html("dl", null, ...rows.flatMap(([what, value]) => [html("dt", null, what), html("dd", null, value)])),
    html("p", { class: "links" }, !family.link ? "" : pin ? link(family.link, `${family.stem} in InterPro \u2197`) : "Click or press Enter for the link"));
  card.hidden = false;
  const left = Math.min(Math.max(8, box.left + box.width / 2 - card.offsetWidth / 2), document.documentElement.clientWidth - card.offsetWidth - 8);
  const below = box.bottom + 8 + card.offsetHeight < innerHeight || box.top < card.offsetHeight + 8;
  card.style.left = `${left + scrollX}px`;
  card.style.top = `${(below ? box.bottom + 8 : box.top - 8 - card.offsetHeight) + scrollY}px`;
  pinned = pin ? node : null;
  if (pin) card.querySelector("a")?.focus({ preventScroll: true });
}

function hideCard(even) {
  if (pinned && !even) return;
  pinned = null;
  byId("card").hidden = true;
}

function cards() {
  const domainOf = event => event.target.closest?.(".domain");
  const host = byId("picture");
  host.addEventListener("pointerover", event => { if (!pinned) domainOf(event) ? showCard(domainOf(event), false) : hideCard(); });
  host.addEventListener("pointerleave", () => hideCard());
  host.addEventListener("focusin", event => { if (domainOf(event)?.matches(":focus-visible") && !pinned) showCard(domainOf(event), false); });
  host.addEventListener("focusout", () => hideCard());
  host.addEventListener("click", event => { if (domainOf(event)) { showCard(domainOf(event), true); event.stopPropagation(); } });
  host.addEventListener("keydown", event => {
    if (domainOf(event) && (event.key === "Enter" || event.key === " ")) { showCard(domainOf(event), true); event.preventDefault(); }
  });
  document.addEventListener("click", event => { if (!byId("card").contains(event.target)) hideCard(true); });
  document.addEventListener("keydown", event => { if (event.key === "Escape") { const last = pinned; hideCard(true); last?.focus(); } });
}

// The symbols of the picture, drawn as the picture draws them.
function key() {
  const family = { name: "", key: "", length: 9 }, kinds = [["profile to its ends", {}], ["part of the profile", { hmmFrom: 2, hmmTo: 8 }],
    ["envelope", { from: 4, to: 8 }], ["network alone", { source: "network" }], ["weak", { weak: true }]];
  colours.set("", { fill: "#b9c2cc", edge: "#5c6878" }); // after those of the clans
  byId("key").replaceChildren(...kinds.map(([text, more]) => {
    const domain = { family, source: "profile", from: 1, to: 10, envFrom: 1, envTo: 10, hmmFrom: 1, hmmTo: 9, evalue: 0, score: 0, sisters: [], ...more };
    const place = { x: MARGIN + (domain.from - 1) * 3.2, y: 1, size: (domain.to + 1 - domain.from) * 3.2, text: "", at: 0, below: 0 };
    const node = drawDomain(domain, place, 3.2, "");
    for (const name of ["tabindex", "role", "aria-label", "aria-haspopup"]) node.removeAttribute(name);
    node.setAttribute("class", node.getAttribute("class").replace("domain", "symbol"));
    return html("span", null, svg("svg", { width: 36, height: HEIGHT + 2, viewBox: `${MARGIN - 2} 0 36 ${HEIGHT + 2}`, "aria-hidden": "true" }, node), text);
  }));
}

function summary() {
  const { proteins } = data, every = proteins.flatMap(protein => protein.domains), strong = every.filter(domain => !domain.weak && domain.best);
  const weak = every.filter(domain => domain.weak).length, sisters = every.filter(domain => !domain.weak && !domain.best).length;
  const without = proteins.filter(protein => protein.domains.every(domain => domain.weak)).length;
  const parts = [[proteins.length, "protein", "proteins"], [strong.length, "domain", "domains"],
    [new Set(strong.map(domain => domain.family)).size, "family", "families"], [without, "protein without domains", "proteins without domains"]];
  byId("counts").replaceChildren(...parts.flatMap(([number, one, many], place) => [place ? " \u00b7 " : "", html("b", null, grouped(number)), ` ${number === 1 ? one : many}`]));
  byId("weak-count").textContent = `(${grouped(weak)})`;
  byId("weak").disabled = !weak;
  byId("sisters-count").textContent = `(${grouped(sisters)})`;
  byId("sisters").disabled = !every.some(domain => !domain.best);
  const place = domain => domain.protein.number * 1e9 + domain.from;
  for (const some of [strong, every]) some.sort((a, b) => place(a) - place(b)).forEach(domain => colour(domain.family.key));
}

// By default no row is three quarters empty, and a narrow one is full.
function scale() {
  const best = !isNarrow() && data.longest <= 4 * data.shortest ? "one" : "each";
  if (state.scale === DEFAULTS.scale) state.scale = byId("scale").value = best;
  DEFAULTS.scale = best;
}

function start() {
  data = parse(byId("data").textContent);
  byId("data").remove();
  const lengths = data.proteins.map(protein => protein.length).sort((a, b) => a - b);
  data.longest = lengths[lengths.length - 1] || 1;
  data.shortest = lengths[0] || 1;
  scale();
  fromAddress();
  lists = { picture: new Lazy(40, "div", row, expected, height => html("div", { style: `height:${height}px` })),
    table: new Lazy(100, "tbody", cells, () => 33, height => html("tr", null, html("td", { colspan: COLUMNS.length, style: `height:${height}px` }))) };
  const last = data.proteins[data.proteins.length - 1];
  byId("unfinished").hidden = data.whole;
  byId("unfinished").textContent = `This page is incomplete: the scan did not come to its end${data.why ? ` (${data.why})` : ""}. ` +
    (last ? `It ends after protein ${grouped(data.proteins.length)}, ${last.name}.` : "It has no protein.");
  summary();
  legend();
  key();
  controls();
  cards();
  draw();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; scale(); legend(); draw(); } });
  addEventListener("beforeprint", () => lists[state.view].all());
  addEventListener("hashchange", () => { fromAddress(); controls(); draw(); });
}

document.addEventListener("DOMContentLoaded", start);
