// The API page, generated from openapi.json.

import { byId, el } from "./dom.js";
import { site } from "./site.js";
import { t } from "./i18n.js";

async function start() {
  const response = await fetch("openapi.json").catch(() => null);
  if (site.service) for (const element of document.querySelectorAll(".origin")) element.textContent = location.origin;
  if (!response?.ok) {
    byId("lead").textContent = t(site.service ? "error.network" : "docs.missing");
    for (const element of [byId("document"), ...document.querySelectorAll("section:has(.calls)")]) element.hidden = true;
    return;
  }
  const { info, paths, components } = await response.json();
  byId("lead").textContent = [info.description, !site.service && t("docs.elsewhere")].filter(Boolean).join(" ");
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => call(method, path, operation)),
  );
  byId("calls").replaceChildren(...calls);
  byId("objects").replaceChildren(...Object.entries(components.schemas).map(object));
}

function call(method, path, { summary, description, parameters = [], requestBody, responses }) {
  return el(
    "details", {},
    el("summary", {}, el("code", {}, el("b", {}, method.toUpperCase()), ` ${path}`), el("span", { class: "hint" }, ` ${summary}`)),
    description && el("p", {}, description),
    el(
      "dl", {},
      parameters.flatMap(({ name, schema, description: meaning }) =>
        entry([t("docs.parameter"), " ", el("code", {}, name)], [
          ...type(schema),
          "default" in schema && `, ${t("docs.default", { value: schema.default })}`,
          meaning && ` – ${meaning}`,
        ]),
      ),
      Object.entries(requestBody?.content ?? {}).flatMap(([media, { schema }]) => [
        ...entry([t("docs.body"), " ", el("code", {}, media)], schema.properties ? [] : type(schema)),
        ...fields(schema),
      ]),
      Object.entries(responses).flatMap(([status, response]) =>
        entry(el("code", {}, status), [response.description, ...Object.values(response.content ?? {}).flatMap(({ schema }) => (schema ? [" – ", ...type(schema)] : []))]),
      ),
    ),
    ...Object.values(responses[200]?.content ?? {}).filter(({ example }) => example).flatMap(({ example }) => [
      el("p", { class: "hint" }, t("docs.example")),
      el("pre", { dir: "ltr", tabindex: 0 }, el("code", {}, JSON.stringify(example, null, 2))),
    ]),
  );
}

const entry = (name, meaning) => [el("dt", {}, name), el("dd", {}, meaning)];

const object = ([name, schema]) =>
  el("details", { id: name }, el("summary", {}, el("code", {}, el("b", {}, name))), schema.description && el("p", {}, schema.description), el("dl", {}, fields(schema)));

const fields = ({ properties = {}, required = [] }) =>
  Object.entries(properties).flatMap(([name, schema]) =>
    entry(el("code", {}, name, required.includes(name) ? "" : "?"), [...type(schema), schema.description && ` – ${schema.description}`]),
  );

/** A schema's type, with links to the objects that it refers to. */
function type(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [el("a", { href: `#${name}`, onclick: () => (byId(name).open = true) }, name)];
  }
  if (schema.anyOf) return schema.anyOf.flatMap((choice, i) => [i > 0 && " | ", ...type(choice)]);
  if (schema.enum) return [el("code", {}, schema.enum.map((value) => JSON.stringify(value)).join(" | "))];
  if ("const" in schema) return [el("code", {}, JSON.stringify(schema.const))];
  if (schema.type === "array") return [...type(schema.items ?? {}), "[]"];
  return [el("code", {}, schema.format === "binary" ? "file" : (schema.type ?? "any"))];
}

start();
