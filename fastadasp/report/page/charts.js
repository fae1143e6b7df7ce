"use strict";
// Draws the charts, in the page's colours, and brings methods to the fore.
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 640px)");
const CUT = 11;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return { ink: value("--ink"), line: value("--line"), ground: value("--ground") };
}

function readable(colour) {
  // The families' colours are made for white paper: on a dark ground they are lightened.
  if (!dark.matches || !/^#[0-9a-f]{6}$/i.test(colour || "")) return colour;
  const parts = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return "#" + parts.map((part) => Math.round(part + (255 - part) * 0.42).toString(16).padStart(2, "0")).join("");
}

function themed(spec) {
  const { ink, line, ground } = colours();
  const found = structuredClone(spec);
  const layout = found.layout;
  Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: narrow.matches ? 11 : 13 } });
  layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: ink, activecolor: ink };
  layout.hoverlabel = { bgcolor: ground, bordercolor: line, font: { color: ink }, align: "left" };
  for (const axis of ["xaxis", "yaxis"]) Object.assign(layout[axis], { gridcolor: line, linecolor: line, tickcolor: line });
  for (const trace of found.data) {
    for (const part of ["line", "marker"]) if (trace[part] && typeof trace[part].color === "string") trace[part].color = readable(trace[part].color);
  }
  for (const note of layout.annotations || []) {
    note.font.color = note.arrowcolor = readable(note.font.color);
    if (narrow.matches) {
      note.font.size = 10;
      if (note.text.length > CUT) note.text = note.text.slice(0, CUT - 1) + "…";
    }
  }
  if (narrow.matches) Object.assign(layout.margin, { l: 44, r: layout.annotations && layout.annotations.length ? 84 : 10 });
  return found;
}

function draw(div) {
  const spec = themed(div.spec);
  return Plotly.react(div, spec.data, spec.layout, { responsive: true, displaylogo: false, displayModeBar: narrow.matches ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d"] });
}

function emphasise(div, method, on) {
  const places = div.data.map((trace, place) => (trace.meta && trace.meta.method === method ? place : -1)).filter((place) => place >= 0);
  if (!places.length) return;
  const strong = on || div.data[places[0]].meta.chosen;
  Plotly.restyle(div, { opacity: strong ? 1 : 0.3, "line.width": strong ? 3 : 1.3, "marker.size": strong ? 9 : 6 }, places);
}

function start(div) {
  div.spec = JSON.parse(div.querySelector("script").textContent);
  div.replaceChildren();
  const pressed = new Set();
  draw(div).then(() => {
    div.on("plotly_click", (event) => toggle(event.points[0].data.meta));
  });
  const buttons = [...div.parentElement.querySelectorAll("button[data-method]")];
  function toggle(meta) {
    if (!meta || !meta.method) return;
    const on = !pressed.has(meta.method);
    on ? pressed.add(meta.method) : pressed.delete(meta.method);
    for (const button of buttons) if (button.dataset.method === meta.method) button.setAttribute("aria-pressed", on);
    emphasise(div, meta.method, on);
  }
  for (const button of buttons) button.addEventListener("click", () => toggle({ method: button.dataset.method }));
}

const plots = [...document.querySelectorAll(".plot")];
plots.forEach(start);
for (const media of [dark, narrow]) media.addEventListener("change", () => plots.forEach(draw));
