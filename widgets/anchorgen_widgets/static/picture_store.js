// Thumbnails by key. Those of the loaded state come from the trait, later ones in messages; the trait's own object is
// filled in place, for the next view and for a saved notebook.

function createPictureStore(model, keysShown, arrived) {
  const addresses = new Map();
  let shown = new Set();
  const put = (key, bytes) => {
    URL.revokeObjectURL(addresses.get(key));
    addresses.set(key, pictureAddress(bytes));
  };
  const receive = (content, buffers) => {
    if (content.type !== "thumbnails") return;
    content.keys.forEach((key, k) => {
      model.get("thumbnails")[key] = buffers[k];
      put(key, buffers[k]);
    });
    arrived();
  };
  Object.entries(model.get("thumbnails")).forEach(([key, bytes]) => put(key, bytes));
  model.on("msg:custom", receive);
  return {
    address: (key) => addresses.get(key) ?? "",
    // Forgets what was shown and is not any more. What was never shown stays: it can be here before its key.
    sweep() {
      const now = new Set(keysShown());
      for (const key of shown) {
        if (now.has(key)) continue;
        URL.revokeObjectURL(addresses.get(key));
        addresses.delete(key);
        delete model.get("thumbnails")[key];
      }
      shown = now;
    },
    // Messages that went by before this view could hear them.
    askForMissing() {
      const keys = keysShown().filter((key) => !addresses.has(key));
      if (keys.length) model.send({ type: "want", keys });
    },
    close() {
      model.off("msg:custom", receive);
      addresses.forEach((address) => URL.revokeObjectURL(address));
    },
  };
}
