/** Files in messages: clips that play in place, pictures, sounds, and anything else to download. */

import { h, icon } from "./dom.js";

const MEGABYTE = 1_000_000;

/** @param {import("./store.js").File} file */
export function fileTile(file) {
  if (file.state === "deleted") return h("div", { class: "file gone" }, "This file was deleted.");
  if (file.state !== "ready") return h("div", { class: "file busy" }, `${file.name} is being processed…`);
  const kind = file.mimetype.split("/")[0];
  if (kind === "video") return h("figure", { class: "file video" }, video(file), caption(file));
  if (kind === "audio") return h("figure", { class: "file audio" }, h("audio", { controls: true, preload: "metadata", src: file.url, "aria-label": file.title }), caption(file));
  if (kind === "image" && !file.mimetype.includes("svg")) return h("figure", { class: "file image" }, h("img", { src: file.url, alt: file.title, loading: "lazy" }), caption(file));
  return h("div", { class: "file plain" }, icon("file"), caption(file));
}

/** @param {import("./store.js").File} file */
function video(file) {
  return h("video", { controls: true, playsinline: true, preload: "metadata", src: file.url, "aria-label": `Clip ${file.title}` });
}

/** @param {import("./store.js").File} file */
function caption(file) {
  return h(
    "figcaption",
    {},
    h("span", { class: "name", title: file.name }, file.name),
    h("span", { class: "hint" }, size(file.size)),
    h("a", { href: file.url, download: file.name, title: `Download ${file.name}`, "aria-label": `Download ${file.name}` }, icon("download")),
  );
}

/** @param {number} bytes */
function size(bytes) {
  return bytes >= MEGABYTE ? `${(bytes / MEGABYTE).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1000))} kB`;
}
