// Talking to the service. Addresses are relative: the pages work under any path.

export class ServiceError extends Error {
  constructor(code, message, retryAfterS = 0) {
    super(message);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** model.json's facts and, under `service`, what this service allows. */
export const model = () => ask("v1/model", { headers: { Accept: "application/json" } });

/** One file's record, or its failed record. `key` is null where none is asked for; it goes as UTF-8. */
export async function detect(file, { mode, heatmap, explain = false, key, signal }) {
  const body = new FormData();
  body.append("file", file, file.name);
  const query = new URLSearchParams({ mode, heatmap: heatmap ? "1" : "0", ...(explain && { explain: "1" }) });
  const headers = key === null ? {} : { "X-API-Key": String.fromCharCode(...new TextEncoder().encode(key)) };
  const answer = await ask(`v1/detect?${query}`, { method: "POST", body, headers, signal });
  return answer.results[0];
}

async function ask(path, options) {
  let response, body;
  try {
    response = await fetch(path, { credentials: "omit", ...options });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error; // in the middle of an answer too
    if (!response) throw new ServiceError("network", String(error));
    throw new ServiceError("internal", `${response.status} ${response.statusText}`); // a proxy's page, say
  }
  if (response.ok) return body;
  const retryAfterS = Number(response.headers.get("Retry-After")) || 0;
  throw new ServiceError(body.code ?? "internal", body.detail ?? response.statusText, retryAfterS);
}
