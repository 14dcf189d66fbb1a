import { type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";

/** A status or state as a coloured word. */
export const Pill = ({ kind, children }: { readonly kind: string; readonly children: ReactNode }) => <span className={`pill ${kind}`}>{children}</span>;

export const Panel = ({ title, side, children, grow }: { readonly title: string; readonly side?: ReactNode; readonly children: ReactNode; readonly grow?: boolean }) => {
  const id = useId();
  return (
    <section className={`panel ${grow === true ? "grow" : ""}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {side}
      </header>
      {children}
    </section>
  );
};

export const Empty = ({ children }: { readonly children: ReactNode }) => <p className="empty">{children}</p>;

export const Problem = ({ text }: { readonly text: string }) => (
  <p className="problem" role="alert">
    {text}
  </p>
);

export interface TabsProps {
  readonly label: string;
  readonly tabs: ReadonlyArray<{ readonly id: string; readonly text: string; readonly href: string }>;
  readonly current: string;
}
/** Places within a place. They are links: each has an address. */
export const Tabs = ({ label, tabs, current }: TabsProps) => (
  <nav className="tabs" aria-label={label}>
    {tabs.map(({ id, text, href }) => (
      <a key={id} href={href} aria-current={id === current ? "page" : undefined}>
        {text}
      </a>
    ))}
  </nav>
);

/** A question before something is done. Closes with Escape; the focus stays within. */
export const Dialog = ({ title, onClose, children }: { readonly title: string; readonly onClose: () => void; readonly children: ReactNode }) => {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={onClose} onCancel={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
};

const rowHeight = 36;
/** Browsers draw nothing beyond some ten million pixels. */
const heightMax = 8_000_000;

export interface VirtualProps {
  readonly total: number;
  readonly row: (index: number) => ReactNode;
  readonly onWindow?: (from: number, to: number) => void;
  readonly label: string;
  readonly head?: ReactNode;
  /** Shown when it changes. */
  readonly at?: number | undefined;
}
/** A list of any length: only the rows that are seen are there. */
export const VirtualList = ({ total, row, onWindow, label, head, at }: VirtualProps) => {
  const element = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ from: 0, to: 40 });
  const height = Math.min(total * rowHeight, heightMax);
  const scale = total * rowHeight > heightMax ? (total * rowHeight) / heightMax : 1;
  const look = () => {
    const box = element.current;
    if (box === null) return;
    const from = Math.max(0, Math.floor((box.scrollTop * scale) / rowHeight) - 8);
    const to = Math.min(total, from + Math.ceil(box.clientHeight / rowHeight) + 16);
    setView((before) => (before.from === from && before.to === to ? before : { from, to }));
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: looked at anew when the length changes
  useLayoutEffect(look, [total]);
  useEffect(() => onWindow?.(view.from, view.to), [view, onWindow]);
  useEffect(() => {
    const box = element.current;
    if (at === undefined || box === null) return;
    const top = (at * rowHeight) / scale;
    if (top < box.scrollTop || top + rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
  }, [at, scale]);
  const rows: Array<ReactNode> = [];
  for (let index = view.from; index < Math.min(view.to, total); index++) rows.push(row(index));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <div className="virtual" ref={element} onScroll={look} role="table" aria-label={label} aria-rowcount={total} tabIndex={0}>
      {head}
      <div role="rowgroup" style={{ height, position: "relative" }}>
        <div role="presentation" style={{ transform: `translateY(${(view.from * rowHeight) / scale}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
};

/** Puts the focus on what is new, for those who don't see that the page changed. */
export const PageTitle = ({ children, sub }: { readonly children: ReactNode; readonly sub?: ReactNode }) => (
  <div className="page-title">
    <h1 tabIndex={-1}>{children}</h1>
    {sub}
  </div>
);
