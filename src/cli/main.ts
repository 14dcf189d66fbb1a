#!/usr/bin/env node
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { processSignals } from "./interrupts.ts";
import { invoke } from "./invoke.ts";
import { processStreams } from "./streams.ts";

const streams = processStreams();
const exit = await Effect.runPromiseExit(invoke(process.argv, streams, processSignals));
if (Exit.isFailure(exit)) streams.error(`${Cause.pretty(exit.cause)}\nthis is a defect of taskwright; please report it\n`);
// 70: an internal error, by the convention of sysexits. Not `process.exit`: what was written to a pipe must get through.
process.exitCode = Exit.isSuccess(exit) ? exit.value : 70;
