// Loads site.json, which describes this deployment, and registers the service worker for offline use.

const response = await fetch("site.json", { cache: "no-cache" }).catch(() => null);

/** {service, private, issues, credentials, thorough} as written by web/site.py. */
export const site = response?.ok ? await response.json() : { service: true, private: false, issues: null };

if ("serviceWorker" in navigator && response?.ok && site.offline !== false) navigator.serviceWorker.register("sw.js").catch(() => {});
