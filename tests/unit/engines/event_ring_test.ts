/** What a worker tells the main thread of connections, and when. */
import assert from "node:assert/strict";
import { EventNews } from "../../../engines/native/event_news.ts";
import { createEventRing, EVENT, EventReader, EventWriter } from "../../../engines/native/event_ring.ts";

class Ring {
  readonly #buffer = createEventRing();
  readonly writer = new EventWriter(this.#buffer);
  readonly reader = new EventReader(this.#buffer);

  /** Everything that the reader sees: kinds with destinations, or counts of what was dropped. */
  read(): string[] {
    const seen: string[] = [];
    this.reader.drain((record) => {
      const kind = Object.entries(EVENT).find(([, it]) => it === record.kind)?.[0];
      seen.push(`${kind} ${record.kind === EVENT.dropped ? record.count : record.destination}`);
    });
    return seen;
  }

  /** Publishes, then reads. */
  readAll(): string[] {
    this.writer.publish();
    return this.read();
  }
}

Deno.test("event ring: a success is seen once it is published, all else at once; everything once and in order", () => {
  const ring = new Ring();
  ring.writer.connectSucceeded(6);
  assert.deepEqual(ring.read(), []);
  ring.writer.dropped(1, "no-room", 3);
  ring.writer.connectFailed(7, "connect-refused");
  assert.deepEqual(ring.read(), ["connectSucceeded 6", "dropped 3", "connectFailed 7"]);
  ring.writer.connectSucceeded(8);
  assert.deepEqual(ring.readAll(), ["connectSucceeded 8"]);
  assert.deepEqual(ring.readAll(), []);
});

Deno.test("event ring: an event that cannot be taken is not handed over again, those behind it are", () => {
  const ring = new Ring();
  for (let i = 1; i <= 3; i++) ring.writer.dropped(1, "no-room", i);
  const seen: number[] = [];
  const fail = () =>
    ring.reader.drain(({ count }) => {
      seen.push(count);
      if (count === 2) throw new Error("a full disk, say");
    });
  assert.throws(fail, /full disk/);
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(ring.read(), ["dropped 3"]);
});

Deno.test("event ring: many times its size goes through, what finds no room is counted as lost", () => {
  const ring = new Ring();
  const write = (from: number, to: number) => {
    for (let i = from; i < to; i++) ring.writer.dropped(1, "no-room", i);
  };
  for (let i = 0; i < 30_000; i += 1_000) {
    write(i, i + 1_000);
    const seen = ring.readAll();
    assert.deepEqual([seen.length, seen[0], seen.at(-1)], [1_000, `dropped ${i}`, `dropped ${i + 999}`]);
  }
  assert.equal(ring.reader.takeLost(), 0);
  write(0, 8_200);
  assert.ok(ring.writer.isUrgent);
  assert.equal(ring.readAll().length, 8_192);
  assert.equal(ring.reader.takeLost(), 8);
  assert.equal(ring.reader.takeLost(), 0, "told once");
});

Deno.test("event ring: a success is told once until the main thread is told, and anew after a failure", () => {
  const ring = new Ring();
  const succeed = (...destinations: number[]) => {
    for (let i = 0; i < 3; i++) for (const it of destinations) ring.writer.connectSucceeded(it);
    return ring.readAll();
  };
  assert.deepEqual(succeed(3, 4), ["connectSucceeded 3", "connectSucceeded 4"]);
  assert.deepEqual(succeed(4), [], "the main thread has not been told meanwhile");
  ring.writer.announced();
  assert.deepEqual(succeed(4, 3), ["connectSucceeded 4", "connectSucceeded 3"]);
  ring.writer.connectFailed(3, "connect-timeout");
  assert.deepEqual(succeed(3), ["connectFailed 3", "connectSucceeded 3"]);
  const crowded = succeed(5, 5 + 256);
  assert.deepEqual(new Set(crowded), new Set(["connectSucceeded 5", "connectSucceeded 261"]));
});

Deno.test("event news: an end waits 100 ms for company, a failed connect 20, and nobody is told twice", () => {
  const ring = new Ring();
  const told: number[] = [];
  let nowMs = 0;
  const news = new EventNews(ring.writer, () => told.push(nowMs));
  const lookUntil = (endMs: number) => {
    for (; nowMs < endMs; nowMs++) news.look(nowMs, false);
  };
  ring.writer.dropped(1, "no-room");
  lookUntil(300);
  assert.deepEqual(told, [100]);
  ring.readAll();
  ring.writer.dropped(1, "no-room");
  lookUntil(310);
  ring.writer.connectFailed(7, "connect-refused");
  lookUntil(400);
  assert.deepEqual(told, [100, 330]);
  ring.readAll();
  ring.writer.dropped(1, "no-room");
  news.look(nowMs, true);
  assert.deepEqual(told, [100, 330, 400], "somebody waits");
});
