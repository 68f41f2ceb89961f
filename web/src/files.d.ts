// what esbuild takes besides
declare module "*.css" {}
