/** What this browser remembers between visits. Where it may not, the page works without. */

/** @param {string} key @param {Storage} [place] @returns {string | null} */
export function recall(key, place) {
  try {
    return (place ?? localStorage).getItem(`dailies-demo/${key}`);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value @param {Storage} [place] */
export function remember(key, value, place) {
  try {
    (place ?? localStorage).setItem(`dailies-demo/${key}`, value);
  } catch {
    // Storage is full or forbidden: the choice then holds for this visit alone.
  }
}
