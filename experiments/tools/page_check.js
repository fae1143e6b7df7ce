"use strict";
// Runs inside a report's page and tells, one sentence each, what is clipped, covered or not drawn.
(() => {
  const found = [];
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const box = (element) => element.getBoundingClientRect();
  const visible = (element) => { const place = box(element); return place.width > 0 && place.height > 0; };

  const plots = [...document.querySelectorAll(".plot")];
  for (const plot of plots) {
    const title = plot.getAttribute("aria-label"), svg = plot.querySelector("svg.main-svg");
    if (!svg || !visible(svg)) { found.push(`${title}: not drawn`); continue; }
    const frame = box(svg), plane = plot.querySelector(".bglayer .bg") || plot.querySelector(".plot");
    const texts = [...plot.querySelectorAll("svg.main-svg text")].filter((text) => visible(text) && text.textContent.trim());
    for (const text of texts) if (!inside(box(text), frame)) found.push(`${title}: clipped text "${text.textContent}"`);
    const labels = [...plot.querySelectorAll(".annotation-text")].filter(visible);
    labels.forEach((label, place) => {
      for (const other of labels.slice(place + 1)) if (meet(box(label), box(other))) found.push(`${title}: "${label.textContent}" covers "${other.textContent}"`);
      for (const point of plot.querySelectorAll(".scatterlayer .points path")) if (meet(box(label), box(point))) { found.push(`${title}: "${label.textContent}" covers a point`); break; }
    });
    const legend = plot.querySelector(".legend");
    if (legend && visible(legend)) {
      for (const point of plot.querySelectorAll(".scatterlayer .points path, .barlayer .point path")) if (meet(box(legend), box(point))) { found.push(`${title}: the legend covers data`); break; }
      for (const other of [...plot.querySelectorAll(".xtitle, .ytitle, .xtick text, .ytick text")].filter(visible))
        if (meet(box(legend), box(other))) { found.push(`${title}: the legend covers "${other.textContent}"`); break; }
    }
    for (const kind of [".xtick text", ".ytick text"]) {
      const ticks = [...plot.querySelectorAll(kind)].filter(visible);
      if (ticks.some((tick, place) => ticks.slice(place + 1).some((other) => meet(box(tick), box(other))))) found.push(`${title}: tick labels (${kind[1]} axis) cover each other`);
    }
    const titles = [...plot.querySelectorAll(".xtitle, .ytitle")].filter(visible), ticks = [...plot.querySelectorAll(".xtick text, .ytick text")].filter(visible);
    for (const one of titles) if (ticks.some((tick) => meet(box(one), box(tick)))) found.push(`${title}: the axis title "${one.textContent}" covers tick labels`);
  }
  if (document.documentElement.scrollWidth > innerWidth + 1) found.push(`the page is ${document.documentElement.scrollWidth} pixels wide in a window of ${innerWidth}`);
  for (const image of document.images) if (!image.complete || !image.naturalWidth) found.push(`an image is not drawn: ${image.alt}`);
  return found;
})()
