/** Lets everything else go on: stored pages come so fast that a loop over them would keep the engine, and whoever asks, waiting to its end. */
export const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
