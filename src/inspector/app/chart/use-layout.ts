import ELK, { type ELK as Elk } from "elkjs/lib/elk-api.js";
import workerUrl from "elkjs/lib/elk-worker.min.js?url";
import { useEffect, useState } from "react";
import type { Graph } from "../../wire.ts";
import { type Layout, layoutOf } from "./layout.ts";
import type { Measure } from "./plan.ts";

let elk: Elk | undefined;
/** Layouts by the form of the machine: a chart that was seen is there at once. */
const known = new Map<string, Promise<Layout>>();

const measureWith = (): Measure => {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  return (text, font) => {
    if (context === null) return text.length * 8;
    context.font = font === "title" ? `600 13px ${family}` : `500 12px ${family}`;
    return context.measureText(text).width;
  };
};

const worker = (): Elk => {
  elk ??= new ELK({ workerFactory: () => new Worker(workerUrl) });
  return elk;
};

/** Gets the worker ready before somebody opens a chart: it is large, and its first layout is its slowest. */
export const warmUp = (): void => void worker().layout({ id: "#", children: [{ id: "a", width: 1, height: 1 }], layoutOptions: { "elk.algorithm": "layered" } });

export const layoutFor = (graph: Graph): Promise<Layout> => {
  let layout = known.get(graph.hash);
  if (layout === undefined) {
    const begun = performance.now();
    layout = layoutOf(worker(), graph, measureWith());
    layout.then(() => performance.measure(`layout ${graph.machine}`, { start: begun }));
    known.set(graph.hash, layout);
  }
  return layout;
};

export const useLayout = (graph: Graph): Layout | undefined => {
  const [layout, setLayout] = useState<{ readonly hash: string; readonly layout: Layout }>();
  useEffect(() => {
    let isWanted = true;
    layoutFor(graph).then((found) => isWanted && setLayout({ hash: graph.hash, layout: found }));
    return () => {
      isWanted = false;
    };
  }, [graph]);
  return layout?.hash === graph.hash ? layout.layout : undefined;
};
