/** What the test engines and folds of this process replayed so far, all in all: a suite can show that it did. */
export const replayed = { histories: 0, entries: 0 };
