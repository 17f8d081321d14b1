// One query of a smoothed classifier, as Node (smoothed.js) and a browser (smoothed.html) make it.
//
// `levels` is a Uint8Array in the order of the session's input. The key is fresh for each query,
// drawn when its input is fixed, and shown to nobody before the answer: the class or -1, the counts
// of all classes and, last, of no class, and the key, by which
// `rsonnx predict --generator exported --key` draws the same counts.
export async function ask({ Tensor }, session, levels, key = freshKey()) {
  const { shape } = session.inputMetadata.find(({ name }) => name === "input");
  const input = new Tensor("uint8", levels, shape);
  const { label, counts } = await session.run({ input, key: new Tensor("uint32", key, [4]) });
  const hex = Array.from(key, (word) => word.toString(16).padStart(8, "0")).join("");
  return { label: Number(label.data[0]), counts: Array.from(counts.data, Number), key: hex };
}

function freshKey() {
  return crypto.getRandomValues(new Uint32Array(4));
}

