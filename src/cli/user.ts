import { userInfo } from "node:os";
import { wrongId } from "../domain/address.ts";

/** Who runs this command, as histories name senders; nothing where the system does not say it in such a form. */
export const userName = (): string => {
  try {
    const { username } = userInfo();
    return wrongId(username) === undefined ? username : "";
  } catch {
    return ""; // a container whose user has no entry
  }
};
