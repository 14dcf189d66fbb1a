import { describe, expect } from "vitest";
import { assign, not, setup } from "xstate";
import { inThreeModes } from "../../src/testing/index.ts";
import { Journey, Service } from "./journey.ts";

interface Person {
  readonly id: number;
  readonly name: string;
}

/** After examples/trivia-game-example: pages with requests, questions, three lives, and states that are left across the tree. */
const make = (winsAt: number) => {
  const people = new Service<ReadonlyArray<Person>>();
  const asked = new Service<Person>();
  const choices = new Service<ReadonlyArray<Person>>();
  const opened: Array<string> = [];
  const quiz = setup({
    types: {
      context: {} as { people: ReadonlyArray<Person>; isReady: boolean; person: Person | null; choices: ReadonlyArray<Person>; showsHint: boolean; points: number; question: number; lives: number },
      events: {} as { type: "play.want" } | { type: "play.agree" } | { type: "play.refuse" } | { type: "answer"; id: number } | { type: "next" } | { type: "hint" } | { type: "again" },
    },
    guards: {
      isRight: ({ context, event }) => event.type === "answer" && event.id === context.person?.id,
      hasLost: ({ context }) => context.lives <= 0,
      hasWon: ({ context }) => context.points >= winsAt,
    },
    actions: {
      openQuizPage: () => void opened.push("quiz"),
      begin: assign({ person: null, choices: [], points: 0, question: 0, lives: 3 }),
    },
    actors: { people: people.logic, asked: asked.logic, choices: choices.logic },
  }).createMachine({
    id: "quiz",
    context: { people: [], isReady: false, person: null, choices: [], showsHint: false, points: 0, question: 0, lives: 3 },
    initial: "home",
    states: {
      home: {
        initial: "loading",
        states: {
          loading: { invoke: { src: "people", onDone: { target: "loaded", actions: assign({ people: ({ event }) => event.output, isReady: true }) } } },
          loaded: { on: { "play.want": "#rules" } },
        },
      },
      rules: { id: "rules", on: { "play.refuse": "home.loaded", "play.agree": { target: "quiz", actions: assign({ isReady: false }) } } },
      quiz: {
        id: "questions",
        entry: ["openQuizPage", "begin"],
        initial: "loading",
        states: {
          loading: {
            id: "loadingQuestion",
            entry: assign({ isReady: false }),
            initial: "person",
            states: {
              person: { invoke: { src: "asked", onDone: { target: "choices", actions: assign({ person: ({ event }) => event.output }) } } },
              choices: {
                invoke: {
                  src: "choices",
                  onDone: { target: "#question", actions: assign({ choices: ({ event }) => event.output, question: ({ context }) => context.question + 1, isReady: true }) },
                },
              },
            },
          },
          ready: {
            id: "question",
            initial: "open",
            on: { hint: { actions: assign(({ context }) => ({ showsHint: !context.showsHint })) } },
            states: {
              open: {
                on: {
                  answer: [
                    { target: "right", guard: "isRight" },
                    { target: "wrong", guard: not("isRight") },
                  ],
                },
              },
              right: {
                entry: assign({ points: ({ context }) => context.points + 10 }),
                always: [
                  { target: "lost", guard: "hasLost" },
                  { target: "won", guard: "hasWon" },
                ],
                on: { next: "#loadingQuestion" },
              },
              wrong: {
                entry: assign({ lives: ({ context }) => context.lives - 1 }),
                always: [
                  { target: "lost", guard: "hasLost" },
                  { target: "won", guard: "hasWon" },
                ],
                on: { next: "#loadingQuestion" },
              },
              lost: { on: { again: "#questions" } },
              won: { on: { again: "#questions" } },
            },
          },
        },
      },
    },
  });
  return { quiz, people, asked, choices, opened };
};

const persons = [1, 2, 3, 4].map((id) => ({ id, name: `person ${id}` }));

describe("examples > quiz", () => {
  inThreeModes("one game is lost, the next one won", async (bench) => {
    const { quiz, people, asked, choices, opened } = make(20);
    const page = await Journey.begin(bench, quiz);
    await page.answer(people, persons);
    await page.send({ type: "play.want" });
    await page.send({ type: "play.refuse" });
    await page.send({ type: "play.want" });
    await page.send({ type: "play.agree" });
    const question = async (id: number) => {
      await page.answer(asked, persons[id - 1] as Person);
      return page.answer(choices, persons);
    };
    for (let lives = 3; lives > 0; lives--) {
      expect(await question(lives)).toMatchObject({ value: { quiz: { ready: "open" } }, context: { isReady: true, lives } });
      await page.send({ type: "hint" });
      await page.send({ type: "answer", id: 4 });
      if (lives > 1) await page.send({ type: "next" });
    }
    expect(await page.send({ type: "next" })).toMatchObject({ value: { quiz: { ready: "lost" } }, context: { lives: 0, question: 3, showsHint: true } });
    await page.send({ type: "again" });
    await question(2);
    await page.send({ type: "answer", id: 2 });
    await page.send({ type: "next" });
    await question(3);
    expect(await page.send({ type: "answer", id: 3 })).toMatchObject({ value: { quiz: { ready: "won" } }, context: { points: 20, lives: 3 } });
    // Twice by the engine's actor, twice by XState's own.
    expect(opened).toHaveLength(4);
  });
});
