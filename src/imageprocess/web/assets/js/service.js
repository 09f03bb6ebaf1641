// Client of the service's HTTP API. Addresses are relative, so that the pages work under any path.

export class ServiceError extends Error {
  constructor(code, message, retryAfterS = 0) {
    super(message);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** model.json and, under `service`, the service's limits. */
export const fetchModelInfo = () => request("v1/model", { headers: { Accept: "application/json" } });

/** The record of one file. `key`: sent as UTF-8, or null if the service requires none. */
export async function detect(file, { mode, heatmap, explain = false, key, signal }) {
  const body = new FormData();
  body.append("file", file, file.name);
  const query = new URLSearchParams({ mode, heatmap: heatmap ? "1" : "0", ...(explain && { explain: "1" }) });
  const headers = key === null ? {} : { "X-API-Key": String.fromCharCode(...new TextEncoder().encode(key)) };
  const response = await request(`v1/detect?${query}`, { method: "POST", body, headers, signal });
  return response.results[0];
}

async function request(path, options) {
  let response, body;
  try {
    response = await fetch(path, { credentials: "omit", ...options });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error; // also while reading the body
    if (!response) throw new ServiceError("network", String(error));
    throw new ServiceError("internal", `${response.status} ${response.statusText}`); // for example a proxy's error page
  }
  if (response.ok) return body;
  const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  throw new ServiceError(body.code ?? "internal", body.detail ?? response.statusText, retryAfterS);
}
