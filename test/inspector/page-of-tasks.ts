import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { openStage } from "./stage.ts";

/** What the tests of the page share: one stage, one browser. */
export interface Seen {
  readonly stage: () => Awaited<ReturnType<typeof openStage>>;
  readonly page: () => Page;
  readonly open: (place: string) => Promise<void>;
  readonly look: (name: string) => Promise<void>;
}

const until = <A>(look: () => A) => expect.poll(look, { interval: 40 });

/** Whether a state's box lies within what is seen of the chart, and is large enough to be read. */
const readable = (page: Page, state: string): Promise<boolean> =>
  page.locator(`[data-state='${state}']`).evaluate((box) => {
    const { width, left, right, top, bottom } = box.getBoundingClientRect();
    const frame = box.closest(".chart")?.getBoundingClientRect();
    return frame !== undefined && left >= frame.left && right <= frame.right && top >= frame.top && bottom <= frame.bottom && width / (box as unknown as { offsetWidth: number }).offsetWidth >= 0.5;
  });

/** Tasks, workers and queues, as an operator sees and orders them. */
export const taskViews = ({ stage, page: shown, open, look }: Seen): void => {
  it("lists tasks with what they wait for, and gives many an order after a preview, with the reason", async () => {
    const page = shown();
    await stage().work();
    await open("tasks");
    const list = page.getByRole("table", { name: "Tasks" });
    await until(() => list.innerText()).toContain("needs report-may");
    expect(await list.innerText()).toContain('no worker carries out "command"');
    await look("tasks");
    await page.getByLabel("Filter by queue").selectOption("nightly");
    await until(() => page.getByText("30 of 35").count()).toBe(1);
    await page.getByRole("button", { name: "Choose all 30" }).click();
    await page.getByLabel("Choose archive-30").uncheck();
    await page.getByRole("button", { name: "Order for 29…" }).click();
    await page.getByLabel("order", { exact: true }).selectOption("Cancel");
    expect(await page.getByRole("button", { name: "Preview" }).isDisabled()).toBe(true);
    await page.getByLabel(/^why/).fill("the archive stays where it is");
    await page.getByRole("button", { name: "Preview" }).click();
    await until(() => page.locator(".preview").innerText()).toContain("It is done for 29");
    // Another order is not the one that was previewed.
    await page.getByLabel("order", { exact: true }).selectOption("Retry now");
    await page.getByRole("button", { name: "Preview" }).click();
    await until(() => page.locator(".preview").innerText()).toContain("archive-7: a task that is queued takes no such order");
    await page.getByLabel("order", { exact: true }).selectOption("Cancel");
    await page.getByRole("button", { name: "Preview" }).click();
    await until(() => page.locator(".preview").innerText()).toContain("It is done for 29");
    await look("task-order");
    expect((await stage().dispatcher.get("archive-1"))?.state).toBe("queued");
    await page.getByRole("button", { name: "Cancel them" }).click();
    await page.getByText("Done for 29.").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    expect((await stage().engine.history("task/archive-1")).at(-1)).toMatchObject({ event: { type: "CANCEL", by: "inspector", why: "the archive stays where it is" } });
    expect((await stage().dispatcher.get("archive-30"))?.state).toBe("queued");
    await page.getByLabel("Filter by state").selectOption("queued");
    await until(() => page.getByText("1 of 35").count()).toBe(1);
  });

  it("shows a task that asks, takes the answer by a form of the question's schema, and shows its end without a reload", async () => {
    const page = shown();
    await open("tasks?state=parked");
    await page.getByRole("link", { name: "report-may" }).click();
    const asks = page.getByRole("region", { name: "It asks" });
    await asks.getByText("In which form do you want the report?").waitFor();
    await until(() => page.locator("[data-state='task.parked']").getAttribute("class")).toContain("active");
    // The way that it came, and the step that it took last: the line in the box, and the arrow.
    await until(() => page.locator("[data-edge='task.queued:event ASSIGN:0']").getAttribute("class")).toContain("taken");
    expect(await page.locator("[data-arrow='task.queued→task.active']").getAttribute("class")).toContain("taken");
    expect(await page.locator("[data-arrow='task.deciding→task.parked']").getAttribute("class")).toContain("fresh");
    // A chart too large to be read at once is shown where its actor stands.
    await until(() => readable(page, "task.parked")).toBe(true);
    await asks.getByLabel("format").selectOption("html");
    await asks.getByLabel(/^pages/).fill("12");
    await asks.getByLabel(/^why/).fill("for the web site");
    await look("task-question");
    await asks.getByRole("button", { name: "Answer report-may" }).click();
    await until(() => page.locator("[data-state='task.done']").getAttribute("class")).toContain("active");
    await until(() => readable(page, "task.done")).toBe(true);
    await until(() => page.getByRole("region", { name: "It asks" }).count()).toBe(0);
    expect(await stage().dispatcher.get("report-may")).toMatchObject({ state: "done", result: { format: "html", pages: 12 } });
    expect(await stage().engine.history("task/report-may")).toContainEqual(expect.objectContaining({ event: expect.objectContaining({ type: "ANSWER", by: "inspector", why: "for the web site" }) }));
  });

  it("draws a machine with too many arrows for labels: each transition a line where it starts, with its count", async () => {
    const page = shown();
    await open("overview");
    await page.getByRole("navigation").getByRole("link", { name: /^task/ }).last().click();
    const line = page.locator("[data-edge='task.queued:event ASSIGN:0']");
    await until(() => line.innerText()).toMatch(/^ASSIGN\s*→ active\s*\d$/);
    expect(await page.locator(".edge-label").count()).toBe(0);
    expect(await page.locator("[data-edge='task.queued:event EXPIRE:0']").getAttribute("class")).toContain("never");
    await page.locator("[data-state='task.deciding']").click();
    await until(() => page.locator("[data-arrow='task.deciding→task.parked']").getAttribute("class")).toContain("chosen");
    expect(await page.locator("[data-arrow='task.queued→task.active']").getAttribute("class")).not.toContain("chosen");
    for (let times = 0; times < 4; times++) await page.getByRole("button", { name: "Zoom in" }).click();
    await look("large-chart");
  });

  it("shows workers with their tasks and queues with their room, live, and gives orders there and on a task's page", async () => {
    const page = shown();
    await open("workers");
    const row = page.getByRole("row", { name: /render-1/ });
    await until(() => row.innerText()).toMatch(/active[\s\S]*3 of 4[\s\S]*render-1/);
    await look("workers");
    await row.getByRole("link", { name: "render-1" }).click();
    await page.getByRole("region", { name: "Task", exact: true }).getByRole("button", { name: "Cancel…" }).click();
    await page.getByLabel(/^why/).fill("the scene is out");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("button", { name: "Cancel them" }).click();
    await page.getByText("Done for 1.").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await until(() => page.locator("[data-state='task.cancelled']").getAttribute("class")).toContain("active");
    await open("queues");
    await until(() => page.getByRole("row", { name: /nightly/ }).innerText()).toMatch(/paused[\s\S]*1[\s\S]*0 of 2/);
    await look("queues");
    await page.getByRole("button", { name: "Resume nightly" }).click();
    await page.getByLabel(/^why/).fill("the archive is there");
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByText("Done for 1.").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await until(() => page.getByRole("row", { name: /nightly/ }).innerText()).toMatch(/open[\s\S]*0[\s\S]*1 of 2/);
  });

  it("marks a parked actor in the overview, in the list and on its page, with the cause and the remedy", async () => {
    const page = shown();
    await open("overview");
    const stuck = page.getByRole("region", { name: "Stuck" });
    await until(() => stuck.innerText()).toMatch(/coupon\/spring[\s\S]*parked: unregistered[\s\S]*register the machine that wrote it/);
    await open("actors?status=parked");
    await until(() => page.getByRole("row", { name: /coupon\/spring/ }).innerText()).toContain("parked: unregistered");
    await page.getByRole("link", { name: "coupon/spring" }).click();
    // Its machine is not registered; the chart that wrote it is stored.
    await until(() => page.locator("[data-state='coupon.valid']").getAttribute("class")).toContain("active");
    await until(() => page.getByRole("region", { name: "Why it waits" }).innerText()).toContain("Register the machine that wrote it");
    await look("parked");
  });

  it("orders a task by the keyboard alone, and fits a narrow screen", async () => {
    const page = shown();
    await page.setViewportSize({ width: 390, height: 844 });
    for (const place of ["tasks", "workers", "queues"]) {
      await open(place);
      await page.getByRole("row").nth(1).waitFor();
      expect(await page.evaluate<number>("document.documentElement.scrollWidth"), place).toBeLessThanOrEqual(390);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await open("tasks?state=queued");
    await page.getByLabel("Choose rsync").focus();
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Order for 1…" }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("order", { exact: true }).focus();
    await page.keyboard.type("Set");
    await page.keyboard.press("Tab");
    await page.keyboard.type("7");
    await page.keyboard.press("Tab");
    await page.keyboard.type("soon");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until(() => page.locator(".preview").innerText()).toContain("Changes the priority of 1 task to 7");
    await page.getByRole("button", { name: "Set priority", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("Done for 1.").waitFor();
    await page.keyboard.press("Escape");
    await until(() => page.getByRole("dialog").count()).toBe(0);
    expect((await stage().dispatcher.get("rsync"))?.priority).toBe(7);
  });
};
