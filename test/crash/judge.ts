import { join } from "node:path";
import { type AskedProcess, openAsked } from "./asked-process.ts";
import type { Answer, Question } from "./check/judgement.ts";

/** The checker's process, asked one question at a time. */
export type Judge = AskedProcess<Question, Answer>;

export const openJudge = (dist: string): Judge => openAsked([join(dist, "test/crash/checker.js")]);
