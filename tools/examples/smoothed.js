// Ask the smoothed classifier, a file of `rsonnx compose smooth`, for the class of one input.
//
//   npm install onnxruntime-node --ignore-scripts   # the scripts only fetch CUDA
//   node smoothed.js smoothed.onnx levels.bin
//
// levels.bin holds the 8-bit levels of the input, a byte each, in the order of the model's input.
// Prints the class, -1 for an abstention, with the counts of all classes and, last, of no class, and
// the key, by which `rsonnx predict --generator exported --key` draws the same counts.
"use strict";
const { randomBytes } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { InferenceSession, Tensor } = require("onnxruntime-node");

async function main(model, input) {
  const session = await InferenceSession.create(model);
  const { shape } = session.inputMetadata.find(({ name }) => name === "input");
  const levels = new Tensor("uint8", new Uint8Array(readFileSync(input)), shape);
  // Fresh for each query, drawn when its input is fixed, and shown to nobody before the answer.
  const key = new Uint32Array(new Uint8Array(randomBytes(16)).buffer);
  const answer = await session.run({ input: levels, key: new Tensor("uint32", key, [4]) });
  const hex = Array.from(key, (word) => word.toString(16).padStart(8, "0")).join("");
  const counts = Array.from(answer.counts.data, Number);
  console.log(JSON.stringify({ label: Number(answer.label.data[0]), counts, key: hex }));
}

main(process.argv[2], process.argv[3]);
