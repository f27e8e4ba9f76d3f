"use strict";
// Drawing: what a page shows of one protein. All text goes into the document as
// text and attributes, never as markup.

const SVG_SPACE = "http://www.w3.org/2000/svg";
const LANE = 26, HEIGHT = 20, TOP = 3, AXIS = 17, MARGIN = 14;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG_SPACE, tag), attributes, children);

// A colour of a clan (or of a family without one) depends on its accession alone.
// Numbers become points of the R2 sequence (Roberts 2018) over hue and lightness,
// in which neither neighbours nor any other few numbers lie close together.
const colours = new Map();
function colour(key) {
  if (!colours.has(key)) {
    const digits = /^(?:CL|PF)(\d+)/.exec(key);
    let number = digits ? Number(digits[1]) : 7;
    if (!digits) for (let i = 0; i < key.length; i++) number = (number * 31 + key.charCodeAt(i)) % 1000003;
    const hue = (number * 0.7548776662466927 * 360) % 360, level = Math.floor((number * 0.5698402909980532 % 1) * 3);
    const light = [0.7, 0.78, 0.86][level], chroma = [0.14, 0.125, 0.09][level];
    colours.set(key, { fill: `oklch(${light} ${chroma} ${hue.toFixed(1)})`, edge: `oklch(0.5 ${chroma} ${hue.toFixed(1)})` });
  }
  return colours.get(key);
}

const swatch = key => html("span", { class: "swatch", style: `background:${colour(key).fill};border-color:${colour(key).edge}` });

// A number as short as it can be said.
function short(number) {
  const size = Math.abs(number);
  return size && (size < 1e-3 || size >= 1e5) ? number.toExponential() : String(number);
}

// The text, cut where there is no room for all of it; nothing where there is for next to nothing.
const ruler = document.createElement("canvas").getContext("2d");
function fitted(text, room) {
  ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const fits = length => ruler.measureText(length < text.length ? `${text.slice(0, length)}\u2026` : text).width <= room;
  let length = Math.min(text.length, Math.ceil(room / 3));
  while (length > 2 && !fits(length)) length -= 1;
  if (!fits(length) || (length < 3 && length < text.length)) return "";
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

const rowHeight = count => TOP * 2 + LANE * (count - 1) + HEIGHT + AXIS;

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

function drawDomain(domain, y, scale, chosen) {
  const at = residue => MARGIN + (residue - 1) * scale, ink = colour(domain.family.key);
  const x = at(domain.from), width = Math.max(2, at(domain.to + 1) - x);
  const whole = [domain.hmmFrom <= 1, domain.hmmTo >= domain.family.length];
  const kind = `domain ${domain.source}${domain.weak ? " weak" : ""}${chosen && chosen !== domain.family.key ? " other" : ""}`;
  const node = svg("g", { class: kind, tabindex: 0, role: "button", "aria-label": said(domain), "aria-haspopup": "dialog" });
  const envelope = at(domain.envTo + 1) - at(domain.envFrom);
  node.append(svg("rect", { class: "env", x: at(domain.envFrom), y: y + 5, width: Math.max(1, envelope), height: HEIGHT - 10, rx: 2, fill: ink.fill }),
    svg("path", { class: "ali", d: outline(x, y, width, ...whole), fill: ink.fill, stroke: ink.edge }));
  if (domain.source === "network") {
    let stripes = "";
    for (let place = 6; place < width; place += 8) stripes += `M${x + place} ${y + 1}l-${Math.min(6, place)} ${HEIGHT - 2}`;
    node.append(svg("path", { class: "stripes", d: stripes, stroke: ink.edge, "stroke-width": 1, "stroke-opacity": 0.55, fill: "none" }));
  }
  const label = fitted(domain.family.name, width - 7);
  if (label) node.append(svg("text", { x: x + width / 2, y: y + HEIGHT / 2 + 0.5 }, label));
  node.domain = domain;
  return node;
}

// The protein as a line, `width` pixels wide in all, with its domains on it.
function drawProtein(protein, domains, width, longest, chosen) {
  const scale = (width - 2 * MARGIN) / Math.max(1, longest), end = MARGIN + protein.length * scale;
  const { lane, count } = lanes(domains), height = rowHeight(count), base = height - AXIS;
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
  for (const domain of [...domains].sort((a, b) => a.from - b.from))
    picture.append(drawDomain(domain, TOP + LANE * lane.get(domain), scale, chosen));
  return picture;
}
