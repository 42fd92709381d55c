/** Times as people read them, in this browser's zone and language. */

const MINUTE = 60;
const DAY = 86_400;

/** @param {string} ts Slack's timestamp, "1700000000.000100" */
export function dateOf(ts) {
  return new Date(Number(ts) * 1000);
}

/** @param {Date} date @param {Intl.DateTimeFormatOptions} options */
function shown(date, options) {
  return new Intl.DateTimeFormat(undefined, options).format(date);
}

/** @param {Date} date "14:05" */
export function clock(date) {
  return shown(date, { hour: "numeric", minute: "2-digit" });
}

/** @param {Date} date "Friday 20 November 2026, 14:05:59" */
export function fully(date) {
  return shown(date, { dateStyle: "full", timeStyle: "medium" });
}

/** @param {Date} date a day, the same for all its times */
export function dayKey(date) {
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** @param {Date} date "Today", "Yesterday", or the day in words */
export function dayName(date) {
  return near(date) ?? shown(date, { weekday: "long", day: "numeric", month: "long" });
}

/** @param {Date} date @returns {string | null} */
function near(date) {
  const today = new Date();
  if (dayKey(date) === dayKey(today)) return "Today";
  if (dayKey(date) === dayKey(new Date(today.getTime() - DAY * 1000))) return "Yesterday";
  if (dayKey(date) === dayKey(new Date(today.getTime() + DAY * 1000))) return "Tomorrow";
  return null;
}

/** @param {Date} date "3 minutes ago" */
export function ago(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const far = Math.abs(seconds);
  if (far < MINUTE) return words.format(seconds, "second");
  if (far < 60 * MINUTE) return words.format(Math.round(seconds / MINUTE), "minute");
  if (far < DAY) return words.format(Math.round(seconds / 3600), "hour");
  return words.format(Math.round(seconds / DAY), "day");
}

/** @type {Record<string, (date: Date) => string>} */
const TOKENS = {
  date_num: (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`,
  date_slash: (date) => shown(date, { dateStyle: "short" }),
  date: (date) => shown(date, { day: "numeric", month: "long", year: "numeric" }),
  date_short: (date) => shown(date, { day: "numeric", month: "short", year: "numeric" }),
  date_long: (date) => shown(date, { dateStyle: "full" }),
  date_pretty: (date) => near(date)?.toLowerCase() ?? TOKENS.date(date),
  date_short_pretty: (date) => near(date)?.toLowerCase() ?? TOKENS.date_short(date),
  date_long_pretty: (date) => near(date)?.toLowerCase() ?? TOKENS.date_long(date),
  time: clock,
  time_secs: (date) => shown(date, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

/**
 * The words of `<!date^1700000000^{date} at {time}|…>`.
 * @param {number} seconds
 * @param {string} form
 */
export function dateWords(seconds, form) {
  const date = new Date(seconds * 1000);
  return form.replace(/\{(\w+)\}/g, (token, name) => TOKENS[name]?.(date) ?? token);
}
