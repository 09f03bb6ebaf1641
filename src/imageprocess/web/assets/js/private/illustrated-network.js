// The network whose feature maps the home page draws. Apart from feature-maps.js, so that the page can download it in advance
// without the code that draws.

import { download } from "./download-cache.js";

/** Folder and hash of the illustrated network; it may be the model with `modelSha256` that gives the verdicts. */
export async function illustratedNetwork(modelSha256) {
  const { files } = await (await fetch("network/model.json")).json();
  const sha256 = files["model.onnx"];
  return { folder: sha256 === modelSha256 ? "model/" : "network/", sha256 };
}

/** Download the illustrated network, so that it is available offline. */
export async function cacheIllustratedNetwork(modelSha256) {
  const { folder, sha256 } = await illustratedNetwork(modelSha256);
  await download(`${folder}model.onnx`, sha256);
}
