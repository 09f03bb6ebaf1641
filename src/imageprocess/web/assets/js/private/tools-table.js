// The table of generators' records that Python reads too (provenance/tools.json).

const ADDRESS = new URL("../../../tools.json", import.meta.url);

let loading = null;

/** The table; null until `loadTable` has resolved. */
export let TABLE = null;

export function loadTable() {
  loading ??= fetch(ADDRESS, { cache: "no-cache" })
    .then((response) => response.json())
    .then((table) => (TABLE = table))
    .catch((error) => {
      loading = null; // so that the next call retries
      throw error;
    });
  return loading;
}

const compiled = new Map();

/** A pattern of the table as RegExp, cached. */
export function pattern(source, flags = "") {
  const key = `${flags}/${source}`;
  if (!compiled.has(key)) compiled.set(key, new RegExp(source, flags));
  return compiled.get(key);
}
