// Time since a moment, counted up each second: how long a crisis lasts.
"use strict";

const Elapsed = {
  start() {
    this.tick();
    setInterval(() => document.hidden || this.tick(), 1000);
  },
  tick() {
    for (const one of document.querySelectorAll("time[data-since]")) {
      one.firstChild.textContent = spell(Math.max(0, Math.round((Clock.nowMs() - Date.parse(one.dateTime)) / 1000)));
    }
  },
};

Elapsed.start();
