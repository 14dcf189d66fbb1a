/** Whether a journal is named by the address of the server that has it. */
export const isServer = (place: string): boolean => /^https?:\/\//i.test(place);
