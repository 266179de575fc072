// Keys: `/` goes to the search, `j` and `k` move, `a` and `e` press what is marked, `?` shows help. They can be turned off.
"use strict";

const Keys = {
  off: "sentinel-keys-off",

  start() {
    const box = document.getElementById("keys-off");
    if (box) {
      box.checked = this.areOff();
      box.addEventListener("change", () => this.turn(box.checked));
    }
    document.addEventListener("keydown", (event) => this.press(event));
  },

  areOff() {
    try {
      return localStorage.getItem(this.off) === "1";
    } catch {
      return false;
    }
  },

  turn(off) {
    try {
      localStorage.setItem(this.off, off ? "1" : "0");
    } catch {
      // A browser that keeps nothing forgets it with the page.
    }
  },

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.areOff()) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const done = { "/": () => this.focus("#search"), "?": () => this.help(), j: () => this.move(1), k: () => this.move(-1),
      a: () => this.act("acknowledge"), e: () => this.act("escalate") }[event.key];
    if (done && done() !== false) event.preventDefault();
  },

  focus(selector) {
    const found = document.querySelector(selector);
    return found ? (found.focus(), true) : false;
  },

  help() {
    const found = document.getElementById("keys");
    return found ? (found.open = !found.open, found.scrollIntoView({ block: "nearest" }), true) : false;
  },

  move(by) {
    const all = [...document.querySelectorAll("[data-row] a[data-main]")];
    if (!all.length) return false;
    const here = all.indexOf(document.activeElement);
    all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by))].focus();
    return true;
  },

  act(name) {
    const row = document.activeElement.closest("[data-row]") || document;
    const found = row.querySelector(`[data-key="${name}"]`);
    // It goes there, and presses nothing: a slip of a finger at night must not take an incident.
    return found ? (found.focus(), true) : false;
  },
};

Keys.start();
