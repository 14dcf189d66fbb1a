/* A worker program that ends before it says a word. */
process.exitCode = 7;
process.disconnect();
