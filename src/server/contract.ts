import type { Contract } from "../dispatch/index.ts";

export type Dispatcher = Contract.Dispatcher;
export type WorkerTransport = Contract.WorkerTransport;
export type Offer = Contract.Offer;
export type Report = Contract.Report;
