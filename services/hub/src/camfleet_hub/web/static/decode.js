/**
 * Makes a picture out of a JPEG, its pixels as they were encoded: a colour profile would cost
 * time and change a time code.
 * @module
 */

/** @typedef {ImageBitmap | VideoFrame} Picture both are closed by who is done with them */

const JPEG = "image/jpeg";

/**
 * Where the browser has a decoder for bytes it costs half as much, for nothing has to become a
 * blob; it has one on pages that came over TLS, or from this machine.
 * @param {Uint8Array<ArrayBuffer>} jpeg
 * @returns {Promise<Picture>}
 */
export function decode(jpeg) {
  return typeof ImageDecoder === "undefined" ? decodeBlob(jpeg) : decodeBytes(jpeg);
}

/** @param {Uint8Array<ArrayBuffer>} jpeg */
async function decodeBytes(jpeg) {
  const decoder = new ImageDecoder({ data: jpeg, type: JPEG, colorSpaceConversion: "none" });
  try {
    return (await decoder.decode()).image;
  } finally {
    decoder.close();
  }
}

/** @param {Uint8Array<ArrayBuffer>} jpeg */
function decodeBlob(jpeg) {
  return createImageBitmap(new Blob([jpeg], { type: JPEG }), { colorSpaceConversion: "none" });
}
