// Applies the patches of the lines on stdin with the module for pages: each line is JSON, `[kind, value, patch]`. Prints a
// line for each: the new value, or `null` where the patch does not fit. The value must not change in place.
import { deepStrictEqual } from 'node:assert';
import { readFileSync } from 'node:fs';

// The functions are not exported, because pages have the option `value`.
const source = `${readFileSync(process.argv[2], 'utf8')}\nexport { merged, patched };`;
const { merged, patched } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const [kind, value, patch] = JSON.parse(line);
  const before = structuredClone(value);
  let changed = null;
  try {
    changed = [(kind === 'patch' ? patched : merged)(value, patch)];
  } catch { /* does not fit */ }
  deepStrictEqual(value, before);
  console.log(JSON.stringify(changed));
}
