import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The page of the inspector: built into the package, asks for nothing but what lies beside it. */
export default defineConfig({
  root: here("."),
  base: "./",
  logLevel: "warn",
  esbuild: { jsx: "automatic" },
  worker: { format: "es" },
  build: {
    outDir: here("../../../dist/src/inspector/web"),
    emptyOutDir: true,
    target: "es2022",
    // Elk's worker is one large file of its own.
    chunkSizeWarningLimit: 2_000,
    // A policy without `data:` for scripts and fonts: everything is a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      // What a package says to frameworks that render on servers means nothing here.
      onwarn: (warning, warn) => {
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
  },
});
