// Gets the record of a picture in the page. Pictures of the same site and data: and blob: URLs are read here, with the
// page's rights; the engine fetches the others.

globalThis.imageprocess ??= {};

imageprocess.checker ??= (() => {
  const MAX_BYTES = 40_000_000; // messages are limited to 64 MiB, and bytes are sent as base64

  async function callBackground(message) {
    const { value, error } = await chrome.runtime.sendMessage({ to: "background", ...message });
    if (error) throw new Error(error);
    return value;
  }

  /** Call the engine; retries, because it closes when idle. */
  async function callEngine(message) {
    for (let attempt = 0; ; attempt++) {
      try {
        await callBackground({ call: "start" });
        const response = await chrome.runtime.sendMessage({ to: "engine", ...message });
        if (response) return response;
        throw new Error("the extension's engine did not respond");
      } catch (error) {
        if (attempt === 3) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200 * (attempt + 1)));
      }
    }
  }

  /** Fetch a picture as a data: URL. */
  async function fetchAsDataUrl(url) {
    const response = await fetch(url, { cache: "force-cache", credentials: "same-origin" });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    const blob = await response.blob();
    if (blob.size > MAX_BYTES) throw Object.assign(new Error("too large"), { code: "too_large" });
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
  }

  const isSameOrigin = (url) => /^(data|blob):/.test(url) || new URL(url).origin === location.origin;

  /** The match pattern of a URL's host, as used for permissions. */
  const matchPattern = (url) => `${new URL(url).protocol}//${new URL(url).hostname}/*`;

  function nameOf(url) {
    if (/^(data|blob):/.test(url)) return url.slice(0, 5).replace(":", "");
    const { pathname, hostname } = new URL(url);
    const last = pathname.split("/").pop();
    try {
      return decodeURIComponent(last) || hostname;
    } catch {
      return last;
    }
  }

  const results = new Map(); // URLs and mode -> promise of the result
  const MAX_RESULTS = 500;

  /** -> {record, headline, url}, {needs: match pattern of the missing permission, url}, or {error: why, url}. */
  function check(urls, mode) {
    const key = `${mode} ${urls.join(" ")}`;
    if (!results.has(key)) {
      const result = checkFirstReadable(urls, mode);
      results.set(key, result);
      result.then(({ record }) => record || results.delete(key), () => results.delete(key)); // retry next time
      if (results.size > MAX_RESULTS) results.delete(results.keys().next().value);
    }
    return results.get(key);
  }

  /** Check the first URL that can be read. */
  async function checkFirstReadable(urls, mode) {
    let result = null;
    for (const url of urls) {
      result = { ...(await checkUrl(url, mode)), url };
      if (result.record?.status === "ok" || result.needs) return result;
    }
    return result;
  }

  async function checkUrl(url, mode) {
    const name = nameOf(url);
    if (!/^(https?|data|blob):/.test(url)) return { error: `${new URL(url).protocol} URLs cannot be read` };
    if (isSameOrigin(url)) {
      try {
        return await callEngine({ call: "check", url: await fetchAsDataUrl(url), name, mode });
      } catch (error) {
        return { error: String(error.message), code: error.code };
      }
    }
    const result = await callEngine({ call: "check", url, name, mode });
    if (!result.error || (await callBackground({ call: "hasPermission", origin: matchPattern(url) }))) return result;
    // Some sites allow their own pages (CORS) to read their pictures.
    const data = await fetchAsDataUrl(url).catch(() => null);
    return data ? callEngine({ call: "check", url: data, name, mode }) : { needs: matchPattern(url) };
  }

  const settings = async () => {
    const { mode = "balanced", minSide = 96 } = await chrome.storage.local.get(["mode", "minSide"]);
    return { mode, minSide };
  };

  return { callBackground, callEngine, check, fetchAsDataUrl, nameOf, settings };
})();
