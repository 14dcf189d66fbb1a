/**
 * A number in [0, 1) that depends on the words alone. Jitter is drawn from it, so that a replayed history waits
 * exactly as long as the first run did. Not for secrets. (FNV-1a with a final mix.)
 */
export const derivedRandom = (...words: ReadonlyArray<string | number>): number => {
  let hash = 0x811c9dc5;
  for (const word of words) {
    const text = String(word);
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x2f, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
};
