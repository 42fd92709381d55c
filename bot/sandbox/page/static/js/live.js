/** The live feed: a WebSocket that comes back by itself. */

import { store } from "./store.js";

const FIRST_WAIT = 250; // milliseconds
const LONGEST_WAIT = 5000;

/**
 * @param {(fresh: import("./store.js").Message[]) => void} onNews called after each message was taken in
 */
export function listen(onNews) {
  let wait = FIRST_WAIT;
  const open = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/page/live`);
    socket.addEventListener("message", (event) => {
      wait = FIRST_WAIT;
      store.connected = true;
      onNews(store.apply(JSON.parse(event.data)));
      store.changed();
    });
    socket.addEventListener("close", () => {
      store.connected = false;
      store.changed();
      setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    });
  };
  open();
}
