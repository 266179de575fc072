// Dragging over a chart of time enlarges what was drawn over: it goes to the link that says so, as the links beside it do.
"use strict";

const Chart = {
  widthMin: 12, // In units of the drawing: less is a click, and no choice.
  chart: null,
  from: null,
  box: null,

  start() {
    // On the document, since a page that follows what happens replaces its charts.
    document.addEventListener("pointerdown", (event) => this.begin(event));
    document.addEventListener("pointermove", (event) => this.draw(event));
    document.addEventListener("pointerup", (event) => this.end(event));
    document.addEventListener("pointercancel", () => this.forget());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.forget());
    this.show();
  },

  show() {
    for (const one of document.querySelectorAll("[data-with-script]")) one.hidden = false;
  },

  begin(event) {
    this.chart = event.button === 0 ? event.target.closest("svg[data-chart]") : null;
    if (this.chart) this.from = this.place(event);
  },

  // Where a pointer stands in the units of the drawing, within its axes.
  place(event) {
    const edges = this.chart.getBoundingClientRect();
    const x = ((event.clientX - edges.left) / edges.width) * this.chart.viewBox.baseVal.width;
    return Math.min(Number(this.chart.dataset.right), Math.max(Number(this.chart.dataset.left), x));
  },

  // A page that follows what happens may have put another chart there meanwhile.
  drawing() {
    if (this.chart && !this.chart.isConnected) this.forget();
    return Boolean(this.chart);
  },

  draw(event) {
    if (!this.drawing()) return;
    if (!this.box) {
      this.box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      this.box.setAttribute("class", "chart-chosen");
      this.box.setAttribute("y", 0);
      this.box.setAttribute("height", this.chart.viewBox.baseVal.height);
      this.chart.append(this.box);
    }
    const to = this.place(event);
    this.box.setAttribute("x", Math.min(this.from, to));
    this.box.setAttribute("width", Math.abs(to - this.from));
  },

  end(event) {
    if (!this.drawing()) return;
    const [first, last] = [this.from, this.place(event)].sort((one, other) => one - other);
    const chart = this.chart;
    this.forget();
    if (last - first < this.widthMin) return;
    const { begins, ends, left, right } = chart.dataset;
    const at = (x) => Number(begins) + ((x - left) / (right - left)) * (ends - begins);
    const [from, to] = [Math.floor(at(first) / 60), Math.ceil(at(last) / 60)];
    const wanted = new URL(location.href);
    wanted.searchParams.delete("span");
    wanted.searchParams.delete("ran");
    // Five minutes are the least that the page shows.
    wanted.searchParams.set("from", this.written(from));
    wanted.searchParams.set("to", this.written(Math.max(to, from + 5)));
    wanted.hash = "latency";
    location.assign(wanted);
  },

  written(minutes) {
    return `${new Date(minutes * 60000).toISOString().slice(0, 16)}Z`;
  },

  forget() {
    if (this.box) this.box.remove();
    this.from = this.box = this.chart = null;
  },
};

Chart.start();
