// What a page with script has over one without: it follows what happens, counts down, and hears keys.
"use strict";

const Live = {
  pauseMs: 1000,
  pauseMaxMs: 30000,
  source: null,
  wanted: false,
  loading: false,

  start() {
    this.topics = (document.body.dataset.live || "").split(" ").filter(Boolean);
    if (!this.topics.length) return;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.leave() : this.join()));
    this.join();
  },

  join(again = false) {
    if (this.source) return;
    const topics = encodeURIComponent(this.topics.join(" "));
    const page = encodeURIComponent(location.pathname + location.search);
    this.source = new EventSource(`/live?topics=${topics}&page=${page}${again ? "&again=1" : ""}`);
    // What happened while nobody listened is not told again. Who comes back to the page sees it anew at once; a
    // connection that was lost is lost for all open pages, and the server says to each when it is time to look.
    let returned = this.joined && !again;
    this.source.addEventListener("hello", () => {
      this.pauseMs = 1000;
      if (returned) this.refresh();
      returned = false;
      this.joined = true;
    });
    this.source.addEventListener("changed", (event) => {
      const changed = event.data.split(" ");
      if (changed.includes("anything") || changed.some((topic) => this.topics.includes(topic))) this.refresh();
    });
    this.source.onerror = () => {
      if (this.source && this.source.readyState === EventSource.CLOSED) {
        this.leave();
        setTimeout(() => document.hidden || this.join(true), this.pauseMs * (0.5 + Math.random()));
        this.pauseMs = Math.min(this.pauseMs * 2, this.pauseMaxMs);
      }
    };
  },

  leave() {
    if (this.source) this.source.close();
    this.source = null;
  },

  async refresh() {
    if (this.loading) {
      this.wanted = true;
      return;
    }
    this.loading = true;
    try {
      // Whoever only looks again is answered with all others who look at this page: it names nobody.
      const headers = { Accept: "text/html", "Sentinel-Again": "1" };
      const answer = await fetch(location.href, { headers, redirect: "manual" });
      if (answer.ok) this.put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      else if (answer.status === 401 || answer.type === "opaqueredirect") location.reload();
    } catch {
      // The connection is gone; the stream says when it is back.
    } finally {
      this.loading = false;
      if (this.wanted) {
        this.wanted = false;
        this.refresh();
      }
    }
  },

  put(page) {
    const known = new Set([...document.querySelectorAll("[data-said]")].map((one) => one.id));
    for (const old of document.querySelectorAll("[data-live-part]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) renew(old, fresh);
    }
    const fresh = [...document.querySelectorAll("[data-said]")].filter((one) => !known.has(one.id));
    if (fresh.length) say(fresh);
    document.title = page.title;
    Clock.correct(page.body);
    Countdown.tick();
  },
};

function isBeingWritten(part) {
  return [...part.querySelectorAll("input, textarea, select")].some((field) =>
    field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
      : field.tagName === "SELECT" ? field === document.activeElement
        : field.type !== "hidden" && (field.value !== field.defaultValue || field === document.activeElement));
}

function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (isBeingWritten(old)) renewAround(old, fresh);
  else swap(old, fresh);
}

// Somebody writes in one of its rows: that one is left alone, and the others say what is new.
function renewAround(old, fresh) {
  const rows = [...fresh.children].filter((one) => one.id);
  const wanted = new Set(rows.map((one) => one.id));
  let before = null;
  for (const row of rows) {
    const there = [...old.children].find((one) => one.id === row.id);
    if (!there) {
      const put = document.importNode(row, true);
      if (before) before.after(put);
      else old.prepend(put);
    } else if (!isBeingWritten(there) && !there.isEqualNode(row)) swap(there, row);
    before = [...old.children].find((one) => one.id === row.id);
  }
  for (const one of [...old.children]) if (one.id && !wanted.has(one.id) && !isBeingWritten(one)) one.remove();
}

function swap(old, fresh) {
  const refocus = focusIn(old);
  const open = new Set([...old.querySelectorAll("details[open]")].map((one) => one.id));
  const put = document.importNode(fresh, true);
  old.replaceWith(put);
  for (const one of put.querySelectorAll("details")) if (open.has(one.id)) one.open = true;
  refocus();
}

// Where the focus is, for after a swap: what has no name of its own is the n-th of its kind in something that has.
function focusIn(part) {
  const here = document.activeElement;
  if (!part.contains(here)) return () => {};
  if (here.id) return () => document.getElementById(here.id)?.focus();
  const around = here.closest("[id]").id;
  const place = [...document.getElementById(around).querySelectorAll(here.tagName)].indexOf(here);
  return () => document.getElementById(around)?.querySelectorAll(here.tagName)[place]?.focus();
}

function say(fresh) {
  const loud = fresh.filter((one) => one.dataset.loud !== undefined);
  const place = document.getElementById(loud.length ? "said-loud" : "said");
  if (place) place.textContent = (loud.length ? loud : fresh).map((one) => one.dataset.said).join(". ");
}

// What time it is by the clock of Sentinel: that of a telephone may be minutes off, and a countdown must not be.
const Clock = {
  aheadMs: 0,
  set(body) {
    const at = Date.parse(body.dataset.now);
    if (at) this.aheadMs = at - Date.now();
  },
  // A page that is made for many is up to a second old: that is no reason to go back.
  correct(body) {
    const before = this.aheadMs;
    this.set(body);
    if (Math.abs(this.aheadMs - before) < 3000) this.aheadMs = before;
  },
  nowMs() {
    return Date.now() + this.aheadMs;
  },
};

// Time that is left, written each second; read aloud it stays what the server wrote.
const Countdown = {
  start() {
    this.tick();
    setInterval(() => document.hidden || this.tick(), 1000);
  },
  tick() {
    for (const one of document.querySelectorAll("time[data-left]")) {
      const left = Math.round((Date.parse(one.dateTime) - Clock.nowMs()) / 1000);
      const text = spell(Math.abs(left));
      one.firstChild.textContent = left < 0 ? `−${text}` : one.dataset.left.replace("{}", text);
      one.classList.toggle("late", left < 0);
    }
  },
};

function spell(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} ${document.documentElement.lang === "fr" ? "j" : "d"} ${hours} h`;
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

Clock.set(document.body);
Live.start();
Countdown.start();
