// What this browser keeps of a person's settings; null where it keeps nothing for the page.

let found = null;
try {
  found = localStorage;
} catch {} // naming it throws there

export const storage = found;
