// An XMP packet -> its simple properties (provenance/xmp.py). Read as a stream of tags, in a worker, where there is no
// DOM; a packet that is too large, malformed or hostile (entities, a DTD) gives what was read before that came up.

import { stripped, utf8 } from "./bytes.js";

const MAX_BYTES = 2_000_000;
const MAX_ELEMENTS = 20_000;
const MAX_DEPTH = 64;
const MAX_VALUES = 2_000;
const RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}";

class Stop extends Error {}

/** -> Map: "{namespace}name" -> the property's first value. */
export function readXmp(packet) {
  const properties = new Map();
  if (!packet || packet.length > MAX_BYTES) return properties;
  try {
    read(decoded(packet), properties);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  return properties;
}

function decoded(packet) {
  const [a, b] = packet;
  if (a === 0xfe && b === 0xff) return new TextDecoder("utf-16be").decode(packet);
  if (a === 0xff && b === 0xfe) return new TextDecoder("utf-16le").decode(packet);
  return stripped(utf8(packet).replace(/^\ufeff/, ""));
}

const TOKEN = /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[([^]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)|</g;
const ATTRIBUTE = /\s*([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gy;

function read(source, properties) {
  const open = []; // {name as written, tag, names: prefix -> namespace}
  let text = "";
  let elements = 0;
  for (const [whole, cdata, closing, name, attributes, empty, words] of source.matchAll(TOKEN)) {
    if (words !== undefined) text += plain(words);
    else if (cdata !== undefined) text += cdata;
    else if (name !== undefined) {
      if (++elements > MAX_ELEMENTS || open.length >= MAX_DEPTH) throw new Stop();
      open.push(element(name, attributes, open.at(-1)?.names ?? new Map(), open, properties));
      text = "";
      if (empty) text = close(open, text, properties);
    } else if (closing !== undefined) {
      if (open.at(-1)?.name !== closing) throw new Stop();
      text = close(open, text, properties);
    } else if (whole === "<") throw new Stop(); // a DTD, or damage
  }
}

function element(name, written, outer, open, properties) {
  const pairs = [...written.matchAll(ATTRIBUTE)].map(([, key, double, single]) => [key, plain(double ?? single)]);
  const names = new Map(outer);
  for (const [key, value] of pairs) {
    if (key === "xmlns") names.set("", value);
    else if (key.startsWith("xmlns:")) names.set(key.slice(6), value);
  }
  const tag = expand(name, names, true);
  const path = below([...open.map((one) => one.tag), tag]);
  for (const [key, value] of pairs) {
    if (key.startsWith("xmlns")) continue;
    const attribute = expand(key, names, false);
    if (path.length === 1 && path[0] === `${RDF}Description`) {
      if (attribute.startsWith("{") && !attribute.startsWith(RDF)) keep(properties, attribute, value);
    } else if (path.length === 2 && attribute === `${RDF}resource`) keep(properties, tag, value);
  }
  return { name, tag, names };
}

/** The path from below the first rdf:RDF. */
function below(tags) {
  const root = tags.indexOf(`${RDF}RDF`);
  return root < 0 ? [] : tags.slice(root + 1);
}

function expand(name, names, isElement) {
  const [prefix, local] = name.includes(":") ? name.split(":", 2) : ["", name];
  if (prefix === "xml") return `{http://www.w3.org/XML/1998/namespace}${local}`;
  const space = prefix || isElement ? names.get(prefix) : undefined;
  if (prefix && space === undefined) throw new Stop(); // an unbound prefix
  return space ? `{${space}}${local}` : local;
}

function close(open, text, properties) {
  const path = below(open.map((one) => one.tag));
  open.pop();
  const value = text.trim();
  const isSimple = path.length === 2;
  const isListed = path.length === 4 && path[3] === `${RDF}li` && path[2].startsWith(RDF);
  if (value && path[0] === `${RDF}Description` && (isSimple || isListed)) keep(properties, path[1], value);
  return "";
}

function keep(properties, name, value) {
  if (properties.size >= MAX_VALUES) throw new Stop();
  if (!properties.has(name)) properties.set(name, value);
}

const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Character references and XML's own entities; any other would need a DTD. */
const plain = (text) =>
  text.replace(/&([^;&<]*);?/g, (whole, name) => {
    const code = name.startsWith("#x") ? parseInt(name.slice(2), 16) : name.startsWith("#") ? parseInt(name.slice(1), 10) : NaN;
    if (code > 0 && code <= 0x10ffff) return String.fromCodePoint(code);
    if (name in ENTITIES && whole.endsWith(";")) return ENTITIES[name];
    throw new Stop();
  });
