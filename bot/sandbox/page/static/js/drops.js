/** Files that are dragged onto a part of the page. */

/** @param {HTMLElement} area @param {(files: globalThis.File[]) => void} take */
export function receiveDrops(area, take) {
  area.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    area.classList.add("dropping");
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(/** @type {Node | null} */ (event.relatedTarget))) area.classList.remove("dropping");
  });
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("dropping");
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
