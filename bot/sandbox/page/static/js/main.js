/** The page put together. */

import { ChannelPane } from "./channel_pane.js";
import { Drawer } from "./drawer.js";
import { listen } from "./live.js";
import { recall } from "./memory.js";
import { Modals } from "./modals.js";
import { words } from "./mrkdwn.js";
import { nameOf } from "./people.js";
import { currentChannel, place } from "./places.js";
import { Sidebar } from "./sidebar.js";
import { store } from "./store.js";
import { applyTheme } from "./theme.js";
import { ThreadPane } from "./thread_pane.js";
import { announce } from "./toasts.js";

const FIRST_PERSON = "maya";
const LONGEST_ANNOUNCEMENT = 200; // characters
const CLOCK_TICK = 30_000; // milliseconds: "3 minutes ago" grows old

/** @param {string} id @returns {HTMLElement} */
function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no part “${id}”`);
  return found;
}

applyTheme();
const drawerRoot = part("drawer");

function toggleDrawer() {
  drawerRoot.hidden = !drawerRoot.hidden;
  document.body.classList.toggle("with-drawer", !drawerRoot.hidden);
  draw();
  const target = drawerRoot.hidden ? document.getElementById("behind-the-scenes") : drawerRoot.querySelector("button");
  if (target instanceof HTMLElement) target.focus();
}

const sidebar = new Sidebar(part("sidebar"), draw);
const channel = new ChannelPane(part("channel"), { toggleDrawer, isDrawerOpen: () => !drawerRoot.hidden });
const thread = new ThreadPane(part("thread"));
const drawer = new Drawer(drawerRoot, toggleDrawer);
const modals = new Modals();

function draw() {
  if (!store.users.size) return;
  sidebar.update();
  channel.update();
  thread.update();
  drawer.update();
  modals.update();
  const asked = location.hash === "#/" ? "list" : "channel";
  document.body.dataset.pane = thread.isOpen ? "thread" : asked;
  document.title = `${store.label(currentChannel())} · ${store.team} · Dailies demo`;
}

/** The person who acts: the one of this tab, or Maya, or anybody. */
function choosePerson() {
  if (store.users.has(store.me)) return;
  const people = [...store.users.values()].filter((one) => !one.is_bot && !one.deleted);
  const before = recall("me", sessionStorage);
  const chosen = people.find((one) => one.id === before) ?? people.find((one) => one.name === FIRST_PERSON) ?? people[0];
  store.me = chosen?.id ?? "";
}

/** @param {import("./store.js").Message[]} fresh reads new messages of the place that is open aloud */
function tell(fresh) {
  choosePerson();
  const open = currentChannel();
  for (const message of fresh) {
    const isHere = message.channel === open?.id && (!message.thread_ts || message.thread_ts === place().thread);
    const isMine = message.user === store.me || (message.for !== undefined && message.for !== store.me);
    if (isHere && !isMine) announce(`${nameOf(message.user)}: ${words(message.text ?? "").slice(0, LONGEST_ANNOUNCEMENT)}`);
  }
}

store.subscribe(draw);
addEventListener("hashchange", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
setInterval(draw, CLOCK_TICK);
listen(tell);
