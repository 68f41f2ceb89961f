// From src/ to the files that the server serves.  Same source, same bytes: what is committed is compared with this.
//   node build.mjs [FOLDER]
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const folder = process.argv[2] ?? "../src/netweft/dashboard/static";

await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  banner: { js: "/* Netweft's dashboard.  Holds preact and @preact/signals, MIT licence, see LICENSES.txt. */" },
  logLevel: "warning",
});

// what is in app.js and not ours
const parts = ["preact", "@preact/signals", "@preact/signals-core"];
const texts = parts.map((name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`);
writeFileSync(`${folder}/LICENSES.txt`, texts.join("\n\n"));
