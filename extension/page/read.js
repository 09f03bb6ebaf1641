// A picture of the page -> its record. Bytes of this very site, data: and blob: addresses are read here, with the rights
// of the page; the engine reads the others.

globalThis.imageprocess ??= {};

imageprocess.read ??= (() => {
  const MAX_BYTES = 40_000_000; // a message takes 64 MiB, and bytes travel as base64

  async function ask(message) {
    const { value, error } = await chrome.runtime.sendMessage({ to: "background", ...message });
    if (error) throw new Error(error);
    return value;
  }

  /** Ask the engine; it may have been closed for idleness meanwhile. */
  async function engine(message) {
    for (let tries = 0; ; tries++) {
      try {
        await ask({ call: "start" });
        const answer = await chrome.runtime.sendMessage({ to: "engine", ...message });
        if (answer) return answer;
        throw new Error("the extension does not answer");
      } catch (error) {
        if (tries === 3) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200 * (tries + 1)));
      }
    }
  }

  /** The file's bytes as a data: address. */
  async function here(url) {
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

  const isOfPage = (url) => /^(data|blob):/.test(url) || new URL(url).origin === location.origin;

  /** The match pattern of its host, which is what a permission is asked for. */
  const pattern = (url) => `${new URL(url).protocol}//${new URL(url).hostname}/*`;

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

  const known = new Map(); // address and mode -> the promise of its answer, for this page's lifetime
  const MAX_KNOWN = 500;

  /** -> {record, headline, url}, {needs: origin pattern, url}, or {unread: why, url}. */
  function check(urls, mode) {
    const key = `${mode} ${urls.join(" ")}`;
    if (!known.has(key)) {
      const answer = anyOf(urls, mode);
      known.set(key, answer);
      answer.then(({ record }) => record || known.delete(key), () => known.delete(key)); // another try is a new one
      if (known.size > MAX_KNOWN) known.delete(known.keys().next().value);
    }
    return known.get(key);
  }

  /** The first of the addresses that can be read. */
  async function anyOf(urls, mode) {
    let answer = null;
    for (const url of urls) {
      answer = { ...(await one(url, mode)), url };
      if (answer.record?.status === "ok" || answer.needs) return answer;
    }
    return answer;
  }

  async function one(url, mode) {
    const name = nameOf(url);
    if (!/^(https?|data|blob):/.test(url)) return { unread: `${new URL(url).protocol} addresses cannot be read` };
    if (isOfPage(url)) {
      try {
        return await engine({ call: "check", url: await here(url), name, mode });
      } catch (error) {
        return { unread: String(error.message), code: error.code };
      }
    }
    const answer = await engine({ call: "check", url, name, mode });
    if (!answer.unread || (await ask({ call: "permitted", origin: pattern(url) }))) return answer;
    // Some sites let the pages that they belong to read their pictures.
    const data = await here(url).catch(() => null);
    return data ? engine({ call: "check", url: data, name, mode }) : { needs: pattern(url) };
  }

  const settings = async () => {
    const { mode = "balanced", minSide = 96 } = await chrome.storage.local.get(["mode", "minSide"]);
    return { mode, minSide };
  };

  return { ask, check, settings, engine, here, nameOf };
})();
