// Ask the smoothed classifier, a file of `rsonnx compose smooth`, for the class of one input.
//
//   npm install onnxruntime-node --ignore-scripts   # the scripts only fetch CUDA
//   node smoothed.js smoothed.onnx levels.bin       # Node 20 or later
//
// levels.bin holds the 8-bit levels of the input, a byte each, in the order of the model's input.
// Prints what ask_smoothed.mjs answers.
"use strict";
const { readFileSync } = require("node:fs");
const ort = require("onnxruntime-node");

async function main(model, input) {
  const { ask } = await import("./ask_smoothed.mjs");
  const session = await ort.InferenceSession.create(model);
  console.log(JSON.stringify(await ask(ort, session, new Uint8Array(readFileSync(input)))));
}

main(process.argv[2], process.argv[3]);
