"use strict";
// Two runs clip by clip: word errors against the reference, which clips broke and which mended.
const words = (text) => (text.toLowerCase().match(/[\p{L}\p{M}\p{N}']+/gu) || []);

function aligned(reference, answer) {
  // The fewest word edits between two texts: [kind, word] with kind "", "wrong" (of the answer) or "missing".
  const a = words(reference), b = words(answer);
  const cost = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => (i ? (j ? 0 : i) : j)));
  for (let i = 1; i <= a.length; i++) for (let j = 1; j <= b.length; j++)
    cost[i][j] = Math.min(cost[i - 1][j - 1] + (a[i - 1] !== b[j - 1]), cost[i - 1][j] + 1, cost[i][j - 1] + 1);
  const marked = [];
  let i = a.length, j = b.length;
  while (i || j) {
    if (i && j && cost[i][j] === cost[i - 1][j - 1] + (a[i - 1] !== b[j - 1])) { i--; j--; marked.push([a[i] === b[j] ? "" : "wrong", b[j]]); }
    else if (j && cost[i][j] === cost[i][j - 1] + 1) marked.push(["wrong", b[--j]]);
    else marked.push(["missing", a[--i]]);
  }
  return { errors: cost[a.length][b.length], marked: marked.reverse() };
}

function element(name, text, kind) {
  const found = document.createElement(name);
  if (text !== undefined) found.textContent = text;
  if (kind) found.className = kind;
  return found;
}

function shown(label, marked) {
  const line = element("dd");
  for (const [kind, word] of marked) line.append(element("span", word, kind), " ");
  return [element("dt", label), line];
}

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, place) => { const one = element("option", name); one.value = place; return one; }));
  select.value = Math.min(chosen, names.length - 1);
}

function compare(table, first, second) {
  const body = document.querySelector("#pairs tbody");
  const found = table.ids.map((id, place) => {
    const one = aligned(table.references[place], first.answers[place]), other = aligned(table.references[place], second.answers[place]);
    return { id, place, one, other, change: other.errors - one.errors };
  });
  const broke = found.filter((clip) => clip.change > 0), mended = found.filter((clip) => clip.change < 0);
  document.querySelector("#verdict").textContent =
    `${broke.length} clips broke, ${mended.length} mended, ${found.length - broke.length - mended.length} have as many errors as before (of ${found.length}).`;
  body.replaceChildren(...[...broke, ...mended].sort((a, b) => b.change - a.change).map((clip) => {
    const row = element("tr"), list = element("dl"), cell = element("td");
    list.append(element("dt", "reference"), element("dd", table.references[clip.place]), ...shown(first.name, clip.one.marked), ...shown(second.name, clip.other.marked));
    cell.append(list);
    row.append(element("th", clip.id), element("td", `${clip.one.errors} → ${clip.other.errors}`, clip.change > 0 ? "broke" : "mended"), cell);
    return row;
  }));
}

const form = document.querySelector("#pair");
if (form) {
  const tables = JSON.parse(document.querySelector("#answers").textContent);
  const { table, first, second } = form.elements;
  const update = () => { const one = tables[table.value]; compare(one, one.runs[first.value], one.runs[second.value]); };
  const changed = () => { const names = tables[table.value].runs.map((run) => run.name); fill(first, names, 0); fill(second, names, 1); update(); };
  fill(table, tables.map((one) => one.name), 0);
  table.addEventListener("change", changed);
  first.addEventListener("change", update);
  second.addEventListener("change", update);
  changed();
}
