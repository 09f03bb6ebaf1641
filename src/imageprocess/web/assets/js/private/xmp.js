// Reads the simple properties of an XMP packet (port of provenance/xmp.py). Parsed as a stream of tags because workers have
// no DOM; a packet that is too large, malformed or hostile (entities, DTD) gives the properties before the problem.

import { stripped, utf8 } from "./bytes.js";

const MAX_BYTES = 2_000_000;
const MAX_ELEMENTS = 20_000;
const MAX_DEPTH = 64;
const MAX_VALUES = 2_000;
const RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}";

class StopParsing extends Error {}

/** @returns {Map<string, string>} "{namespace}name" -> first value of the property */
export function readXmp(packet) {
  const properties = new Map();
  if (!packet || packet.length > MAX_BYTES) return properties;
  try {
    parse(decodeText(packet), properties);
  } catch (error) {
    if (!(error instanceof StopParsing)) throw error;
  }
  return properties;
}

function decodeText(packet) {
  const [a, b] = packet;
  if (a === 0xfe && b === 0xff) return new TextDecoder("utf-16be").decode(packet);
  if (a === 0xff && b === 0xfe) return new TextDecoder("utf-16le").decode(packet);
  return stripped(utf8(packet).replace(/^\ufeff/, ""));
}

const TOKEN = /<!--[^]*?-->|<\?[^]*?\?>|<!\[CDATA\[([^]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)|</g;
const ATTRIBUTE = /\s*([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gy;

function parse(source, properties) {
  const open = []; // stack of {name as written, tag, namespaces: prefix -> URI}
  let text = "";
  let elements = 0;
  for (const [whole, cdata, closing, name, attributes, empty, textRun] of source.matchAll(TOKEN)) {
    if (textRun !== undefined) text += unescapeXml(textRun);
    else if (cdata !== undefined) text += cdata;
    else if (name !== undefined) {
      if (++elements > MAX_ELEMENTS || open.length >= MAX_DEPTH) throw new StopParsing();
      open.push(element(name, attributes, open.at(-1)?.namespaces ?? new Map(), open, properties));
      text = "";
      if (empty) text = close(open, text, properties);
    } else if (closing !== undefined) {
      if (open.at(-1)?.name !== closing) throw new StopParsing();
      text = close(open, text, properties);
    } else if (whole === "<") throw new StopParsing(); // a DTD, or malformed
  }
}

function element(name, attributeText, inherited, open, properties) {
  const pairs = [...attributeText.matchAll(ATTRIBUTE)].map(([, key, double, single]) => [key, unescapeXml(double ?? single)]);
  const namespaces = new Map(inherited);
  for (const [key, value] of pairs) {
    if (key === "xmlns") namespaces.set("", value);
    else if (key.startsWith("xmlns:")) namespaces.set(key.slice(6), value);
  }
  const tag = expand(name, namespaces, true);
  const path = pathBelowRdf([...open.map((one) => one.tag), tag]);
  for (const [key, value] of pairs) {
    if (key.startsWith("xmlns")) continue;
    const attribute = expand(key, namespaces, false);
    if (path.length === 1 && path[0] === `${RDF}Description`) {
      if (attribute.startsWith("{") && !attribute.startsWith(RDF)) addProperty(properties, attribute, value);
    } else if (path.length === 2 && attribute === `${RDF}resource`) addProperty(properties, tag, value);
  }
  return { name, tag, namespaces };
}

/** The tags below the first rdf:RDF. */
function pathBelowRdf(tags) {
  const root = tags.indexOf(`${RDF}RDF`);
  return root < 0 ? [] : tags.slice(root + 1);
}

function expand(name, namespaces, isElement) {
  const [prefix, local] = name.includes(":") ? name.split(":", 2) : ["", name];
  if (prefix === "xml") return `{http://www.w3.org/XML/1998/namespace}${local}`;
  const space = prefix || isElement ? namespaces.get(prefix) : undefined;
  if (prefix && space === undefined) throw new StopParsing(); // unbound prefix
  return space ? `{${space}}${local}` : local;
}

function close(open, text, properties) {
  const path = pathBelowRdf(open.map((one) => one.tag));
  open.pop();
  const value = text.trim();
  const isSimple = path.length === 2;
  const isListed = path.length === 4 && path[3] === `${RDF}li` && path[2].startsWith(RDF);
  if (value && path[0] === `${RDF}Description` && (isSimple || isListed)) addProperty(properties, path[1], value);
  return "";
}

function addProperty(properties, name, value) {
  if (properties.size >= MAX_VALUES) throw new StopParsing();
  if (!properties.has(name)) properties.set(name, value);
}

const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Replaces character references and XML's own entities; others would need a DTD. */
const unescapeXml = (text) =>
  text.replace(/&([^;&<]*);?/g, (whole, name) => {
    const code = name.startsWith("#x") ? parseInt(name.slice(2), 16) : name.startsWith("#") ? parseInt(name.slice(1), 10) : NaN;
    if (code > 0 && code <= 0x10ffff) return String.fromCodePoint(code);
    if (name in ENTITIES && whole.endsWith(";")) return ENTITIES[name];
    throw new StopParsing();
  });
