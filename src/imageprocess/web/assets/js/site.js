// What this site is: served by the service or by a file server alone, with private mode built or not. And the service
// worker, which keeps the pages for when the network is away.

const asked = await fetch("site.json", { cache: "no-cache" }).catch(() => null);

/** {service, private, issues}: the facts that web/site.py wrote. */
export const site = asked?.ok ? await asked.json() : { service: true, private: false, issues: null };

if ("serviceWorker" in navigator && asked?.ok && site.offline !== false) navigator.serviceWorker.register("sw.js").catch(() => {});
