// What is shown, as files: a drawing (SVG) and a table (TSV).

const DRAWN = 1000; // width of a protein in the drawing
const STYLE = "text{font:12px sans-serif;fill:#10151c;text-anchor:middle;dominant-baseline:central}.below{dominant-baseline:auto}" +
  ".ticks text{font-size:10.5px;fill:#566273;dominant-baseline:auto}.head{text-anchor:start;dominant-baseline:auto}.head.name{font-weight:600}" +
  ".rail{stroke:#a9b3c0;stroke-width:3}.tick{stroke:#dfe3e9}.leader{stroke:#a9b3c0}.env{opacity:.38}.ali{stroke-width:1.2}" +
  ".weak .ali{fill-opacity:.22;stroke-dasharray:3 2.5}";

function asSvg() {
  const parts = [svg("style", null, STYLE)];
  let y = 8;
  for (const protein of ordered()) {
    const domains = visible(protein), picture = drawProtein(protein, domains, DRAWN, state.scale === "one" ? data.longest : protein.length, state.clan);
    parts.push(svg("text", { class: "head name", x: MARGIN, y: y + 12 }, protein.name),
      svg("text", { class: "head", x: MARGIN + measured(protein.name) * 1.1 + 12, y: y + 12 }, fitted(protein.description, DRAWN / 2)));
    picture.setAttribute("y", y + 20);
    picture.setAttribute("width", DRAWN);
    parts.push(picture);
    y += 34 + Number(picture.getAttribute("height"));
  }
  const whole = svg("svg", { width: DRAWN, height: y, viewBox: `0 0 ${DRAWN} ${y}` }, ...parts);
  for (const node of whole.querySelectorAll("[tabindex]")) node.removeAttribute("tabindex");
  return new XMLSerializer().serializeToString(whole).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd");
}

const FIELDS = [["protein", d => d.protein.name], ["length", d => d.protein.length], ["family", d => d.family.name], ["accession", d => d.family.accession],
  ["clan", d => d.family.clan], ["description", d => d.family.description], ["from", d => d.from], ["to", d => d.to], ["env_from", d => d.envFrom],
  ["env_to", d => d.envTo], ["hmm_from", d => d.hmmFrom], ["hmm_to", d => d.hmmTo], ["hmm_length", d => d.family.length], ["evalue", d => d.evalue],
  ["score", d => d.score], ["source", d => d.source], ["included", d => d.included]];

function asTsv() {
  const rows = ordered().flatMap(visible).map(domain => FIELDS.map(([, value]) => String(value(domain)).replace(/[\t\r\n]/g, " ") || "-"));
  return [FIELDS.map(([name]) => name), ...rows].map(row => `${row.join("\t")}\n`).join("");
}

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
