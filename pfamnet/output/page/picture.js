"use strict";
// Drawing: what a page shows of one protein. All text goes into the document as
// text and attributes, never as markup.

const SVG_SPACE = "http://www.w3.org/2000/svg";
const LANE = 26, HEIGHT = 20, LABEL = 14, TOP = 3, AXIS = 17, MARGIN = 14;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG_SPACE, tag), attributes, children);

// A colour for each clan (or family without one) in the order in which they appear: each is as far as can be
// from those before it (in OKLab); further ones are darker.
const PALETTE = ("4bcaab de5388 6381f8 fbd509 f4a1fb b97f2b 4da424 f7cbc8 86f687 4498b3 b862d2 93cafb a28195 b0ba5b f3957b 0ff6f1 e45934 cfe19d " +
  "a38fe2 5c9d75 5ecd61 f986b8 3fa5f5 efba64 b2e3e0 8b9433 b6d431 ccbcde 3cc4e1 b69880 8f9fbe ca6c70 89f0bf 9471ed c882c2 fa6773").split(" ");
const colours = new Map();
function colour(key) {
  if (!colours.has(key)) {
    const number = colours.size, darker = 0.9 ** Math.floor(number / PALETTE.length);
    const parts = PALETTE[number % PALETTE.length].match(/../g).map(part => parseInt(part, 16) * darker);
    const hex = times => "#" + parts.map(part => Math.round(part * times).toString(16).padStart(2, "0")).join("");
    colours.set(key, { fill: hex(1), edge: hex(0.55) });
  }
  return colours.get(key);
}

const swatch = key => html("span", { class: "swatch", style: `background:${colour(key).fill};border-color:${colour(key).edge}` });

// A number as short as it can be said.
function short(number) {
  const size = Math.abs(number);
  return size && (size < 1e-3 || size >= 1e5) ? number.toExponential() : String(number);
}

const ruler = document.createElement("canvas").getContext("2d");
function measured(text) {
  ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

// The text, cut where there is no room for all of it.
function fitted(text, room) {
  let length = text.length;
  while (length > 3 && measured(length < text.length ? `${text.slice(0, length)}\u2026` : text) > room) length -= 1;
  return text.slice(0, length) + (length < text.length ? "\u2026" : "");
}

const grouped = number => number.toLocaleString("en");
const plural = (number, one, many) => `${grouped(number)} ${number === 1 ? one : many}`;

// Lane 0 is the protein's own line; what overlaps a better domain lies below it.
function lanes(domains) {
  const taken = [], lane = new Map();
  for (const domain of [...domains].sort((a, b) => a.evalue - b.evalue || b.score - a.score)) {
    let place = taken.findIndex(others => others.every(other => domain.from > other.to || other.from > domain.to));
    if (place < 0) place = taken.push([]) - 1;
    taken[place].push(domain);
    lane.set(domain, place);
  }
  return { lane, count: Math.max(1, taken.length) };
}

const ROW = TOP * 2 + HEIGHT + AXIS;

// What a domain is called, and how many of its sisters are not drawn.
function labelOf(domain) {
  const hidden = state.sisters ? 0 : domain.sisters.filter(sister => state.weak || !sister.weak).length;
  return domain.family.name + (hidden ? ` +${hidden}` : "");
}

// Where domains and their names are drawn: a name that does not fit into its domain stands below it.
function layout(domains, width, scale) {
  const { lane, count } = lanes(domains), places = new Map();
  let y = TOP;
  for (let number = 0; number < count; number++) {
    const rows = [], here = domains.filter(domain => lane.get(domain) === number).sort((a, b) => a.from + a.to - b.from - b.to);
    for (const domain of here) {
      const x = MARGIN + (domain.from - 1) * scale, size = Math.max(2, (domain.to + 1 - domain.from) * scale), text = labelOf(domain);
      if (measured(text) <= size - 7) { places.set(domain, { x, y, size, text, at: x + size / 2, below: 0 }); continue; }
      const label = fitted(text, width - 4), room = measured(label) + 2;
      const left = Math.min(Math.max(1, x + size / 2 - room / 2), width - room - 1);
      let row = rows.findIndex(end => end + 6 <= left);
      if (row < 0) row = rows.push(0) - 1;
      rows[row] = left + room;
      places.set(domain, { x, y, size, text: label, at: left + room / 2, below: row + 1 });
    }
    y += HEIGHT + (rows.length ? rows.length * LABEL + 4 : 0) + LANE - HEIGHT;
  }
  return { places, height: y - LANE + HEIGHT + TOP + AXIS };
}

// A step of 1, 2 or 5 times a power of ten that gives ticks about so far apart.
function tickStep(residues, width) {
  const least = residues / Math.max(1, width / 90), power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map(times => times * power).find(step => step >= least);
}

// Round ends where the profile is aligned to its end, straight ones where it goes on.
function outline(x, y, width, left, right) {
  const r = Math.min(7, width / 2), a = left ? r : 0, b = right ? r : 0;
  return `M${x + a} ${y}H${x + width - b}${b ? `a${b} ${b} 0 0 1 ${b} ${b}` : ""}V${y + HEIGHT - b}` +
    `${b ? `a${b} ${b} 0 0 1 -${b} ${b}` : ""}H${x + a}${a ? `a${a} ${a} 0 0 1 -${a} -${a}` : ""}V${y + a}` +
    `${a ? `a${a} ${a} 0 0 1 ${a} -${a}` : ""}Z`;
}

function said(domain) {
  const family = domain.family;
  return `${family.name}${family.accession ? ` ${family.accession}` : ""}, residues ${domain.from} to ${domain.to}, ` +
    `E-value ${short(domain.evalue)}, ${short(domain.score)} bits, found by ${SOURCES[domain.source]}${domain.weak ? ", weak" : ""}`;
}

const SOURCES = { profile: "profile", network: "network alone", both: "profile and network" };

function drawDomain(domain, { x, y, size, text, at, below }, scale, chosen) {
  const ink = colour(domain.family.key), envelope = (domain.envTo + 1 - domain.envFrom) * scale;
  const whole = [domain.hmmFrom <= 1, domain.hmmTo >= domain.family.length];
  const kind = `domain ${domain.source}${domain.weak ? " weak" : ""}${chosen && chosen !== domain.family.key ? " other" : ""}`;
  const node = svg("g", { class: kind, tabindex: 0, role: "button", "aria-label": said(domain), "aria-haspopup": "dialog" });
  node.append(svg("rect", { class: "env", x: MARGIN + (domain.envFrom - 1) * scale, y: y + 5, width: Math.max(1, envelope), height: HEIGHT - 10, rx: 2, fill: ink.fill }),
    svg("path", { class: "ali", d: outline(x, y, size, ...whole), fill: ink.fill, stroke: ink.edge }));
  if (domain.source === "network") {
    let stripes = "";
    for (let place = 6; place < size; place += 8) stripes += `M${x + place} ${y + 1}l-${Math.min(6, place)} ${HEIGHT - 2}`;
    node.append(svg("path", { class: "stripes", d: stripes, stroke: ink.edge, "stroke-width": 1, "stroke-opacity": 0.55, fill: "none" }));
  }
  if (below) {
    const down = y + HEIGHT + below * LABEL - 2;
    if (below > 1) node.append(svg("line", { class: "leader", x1: x + size / 2, x2: x + size / 2, y1: y + HEIGHT, y2: down - LABEL / 2 }));
    node.append(svg("text", { class: "below", x: at, y: down }, text));
  } else if (text) node.append(svg("text", { x: at, y: y + HEIGHT / 2 + 0.5 }, text));
  node.domain = domain;
  return node;
}

// The protein as a line, `width` pixels wide in all, with its domains on it.
function drawProtein(protein, domains, width, longest, chosen) {
  const scale = (width - 2 * MARGIN) / Math.max(1, longest), end = MARGIN + protein.length * scale;
  const { places, height } = layout(domains, width, scale), base = height - AXIS;
  const picture = svg("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `${plural(protein.length, "residue", "residues")}, ${plural(domains.length, "domain", "domains")}` });
  const ticks = svg("g", { class: "ticks", "aria-hidden": "true" }), step = tickStep(longest, width - 2 * MARGIN);
  for (let residue = step; residue < protein.length; residue += step) {
    const x = MARGIN + (residue - 1) * scale;
    if (end - x < 40) break;
    ticks.append(svg("line", { class: "tick", x1: x, x2: x, y1: TOP + HEIGHT / 2, y2: base + 3 }), svg("text", { x, y: base + 13 }, grouped(residue)));
  }
  if (protein.length) ticks.append(svg("text", { x: end, y: base + 13 }, grouped(protein.length)));
  picture.append(ticks, svg("line", { class: "rail", x1: MARGIN, x2: Math.max(MARGIN, end), y1: TOP + HEIGHT / 2, y2: TOP + HEIGHT / 2 }));
  // leaders lie behind the names of others
  for (const domain of [...domains].sort((a, b) => places.get(b).below - places.get(a).below || a.from - b.from))
    picture.append(drawDomain(domain, places.get(domain), scale, chosen));
  return picture;
}
