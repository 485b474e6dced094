// Prints the size of the module for pages in bytes, minified and gzipped.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const require = createRequire(join(process.env.SSE_TOOLS, 'node/'));
const { minify } = require('terser');
const source = readFileSync(process.argv[2], 'utf8');
const { code } = await minify(source, { module: true, ecma: 2022, compress: { passes: 3 } });
console.log(gzipSync(code, { level: 9 }).length);
