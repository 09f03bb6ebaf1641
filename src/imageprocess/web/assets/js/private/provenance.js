// What a file's own records say, signed ones first (provenance/__init__.py). Signatures are not checked in a browser:
// that Content Credentials are present is told, and that nobody verified them here.

import { isC2paStore } from "./containers.js";
import { readGenerators } from "./generators.js";
import { utf8 } from "./bytes.js";
import { SOURCE_TYPES, evidence, printable, sourceType } from "./statements.js";
import { readXmp } from "./xmp.js";

/** `records`: readRecords's; `exif`: readExif's; `image`: the record's facts. -> [evidence] */
export function readProvenance(records, exif, image) {
  const xmp = readXmp(records.xmp);
  const notes = new Map([...exif.texts, ...records.texts]);
  return [
    ...readC2pa(records.store, xmp),
    ...readIptc(xmp, records.iim),
    ...readGenerators(notes, xmp, image),
    ...readCamera(exif),
  ];
}

function readC2pa(store, xmp) {
  if (store && isC2paStore(store)) {
    return [
      evidence("c2pa", "A Content Credentials manifest is present, not verified: a browser does not check its signature here; the service does.", "unsigned", "nothing", {
        proves: "That the file carries a manifest.",
        does_not_prove: "Anything that the manifest says: its signature was not checked.",
        state: "not_verified",
      }),
    ];
  }
  const address = xmp.get("{http://purl.org/dc/terms/}provenance") ?? "";
  if (!/^https?:\/\//.test(address)) return [];
  return [
    evidence("c2pa", "The file names Content Credentials that are kept elsewhere; they were not fetched.", "unsigned", "nothing", {
      proves: "That the file names an address.",
      does_not_prove: "That anything is kept there, or what it says.",
      state: "not_verified",
      address: printable(address, 500),
    }),
  ];
}

const IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}";
const CREDITS = { "Made with Google AI": "ai", "Edited with Google AI": "ai_edited" };

function readIptc(xmp, iim) {
  const found = [];
  const term = ["DigitalSourceType", "DigitalSourceFileType"].map((name) => sourceType(xmp.get(IPTC_EXT + name))).find(Boolean);
  if (term) {
    const [pointsTo, words] = SOURCE_TYPES[term];
    found.push(
      evidence("iptc", `The file's IPTC metadata says that this picture was ${words}.`, "unsigned", pointsTo, {
        proves: "That whoever last wrote this file's metadata stated how the picture came to be.",
        does_not_prove: "That the statement is true: it is not signed, and anyone can write, change or remove it.",
        digital_source_type: term,
      }),
    );
  }
  const credit = xmp.get("{http://ns.adobe.com/photoshop/1.0/}Credit") || iimCredit(iim ?? new Uint8Array());
  if (credit && Object.hasOwn(CREDITS, credit)) {
    found.push(
      evidence("iptc", `The file's IPTC credit line reads “${credit}”.`, "unsigned", CREDITS[credit], {
        proves: "That the file carries the credit line that Google's generative tools write.",
        does_not_prove:
          "That Google's tools wrote it: the line is not signed, and anyone can type it. " +
          "Google's own invisible mark, SynthID, can only be checked by Google.",
        generator: "Google AI",
        credit,
      }),
    );
  }
  return found;
}

/** Data set 2:110 of an IPTC IIM block: 0x1C, record, data set, 16-bit size, value. */
function iimCredit(iim) {
  for (let at = 0, i = 0; i < 1000 && at + 5 <= iim.length && iim[at] === 0x1c; i++) {
    const size = (iim[at + 3] << 8) | iim[at + 4];
    if (iim[at + 1] === 2 && iim[at + 2] === 110) return utf8(iim.subarray(at + 5, at + 5 + size)).trim();
    at += 5 + size;
  }
  return null;
}

/** At most one item: the camera that EXIF names, or, where it names none, that it has exposure settings. */
function readCamera({ texts: all, numbers }) {
  const texts = Object.fromEntries([...all].filter(([, text]) => !/^(workflow|prompt):/.test(text)));
  const { make = "", model = "" } = texts;
  const brand = make.toLowerCase().split(" ")[0]; // "NIKON CORPORATION", "NIKON D90": one name is enough
  const camera = model && model.toLowerCase().startsWith(brand) ? model : `${make} ${model}`.trim();
  if (!camera && !Object.keys(numbers).length) return [];
  const claim = camera ? `EXIF names a camera: ${printable(camera, 120)}` : "EXIF has a camera's exposure settings";
  const taken = texts.taken ? `, on ${printable([...texts.taken].slice(0, 10).join("")).replaceAll(":", "-")}` : "";
  const named = ["make", "model", "lens_make", "lens", "taken", "changed", "software"].map((name) => [name, texts[name]]);
  return [
    evidence("exif", `${claim}${taken}.`, "unsigned", "real", {
      proves: "That these camera facts stand in the file.",
      does_not_prove:
        "That this camera took this picture: EXIF is not signed, survives editing, and can be copied onto any picture.",
      ...Object.fromEntries(named),
      ...numbers,
    }),
  ];
}
