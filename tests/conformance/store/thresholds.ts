/** Upper and lower thresholds. */
import assert from "node:assert/strict";
import type { Director } from "../../../director/director.ts";
import { ACTION } from "../../../director/verdict.ts";
import { type Cases, close, destination, from, SYN, tcp, tcpService } from "../../unit/director/testbed.ts";

function withOne(director: Director, upperThreshold: number, lowerThreshold = 0): number {
  const service = director.addService(tcpService(), 0);
  return director.addDestination(service, destination("10.2.0.1:80", { upperThreshold, lowerThreshold }), 0);
}

function opens(director: Director, count: number, firstPort = 1): boolean[] {
  return Array.from(
    { length: count },
    (_, i) => from(director, tcp(`192.0.2.1:${firstPort + i}`), SYN, 0).action === ACTION.forward,
  );
}

function end(director: Director, ...ports: number[]): void {
  for (const port of ports) director.forget(tcp(`192.0.2.1:${port}`), 0);
}

export const thresholdCases: Cases = {
  "the u-th connection is admitted, the next is not": (make) => {
    const director = make();
    withOne(director, 3);
    assert.deepEqual(opens(director, 4), [true, true, true, false]);
  },

  "ended ones count": (make) => {
    const director = make();
    withOne(director, 2);
    opens(director, 2);
    close(director, tcp("192.0.2.1:1"), 0);
    assert.deepEqual(opens(director, 1, 9), [false]);
  },

  "without a lower one it returns below three quarters": (make) => {
    const director = make();
    const handle = withOne(director, 8);
    opens(director, 8);
    end(director, 1, 2);
    assert.equal(director.destinationView(handle).overloaded, true);
    end(director, 3);
    assert.equal(director.destinationView(handle).overloaded, false);
  },

  "with a lower one it returns below that": (make) => {
    const director = make();
    const handle = withOne(director, 4, 2);
    opens(director, 4);
    end(director, 1, 2);
    assert.equal(director.destinationView(handle).overloaded, true);
    end(director, 3);
    assert.equal(director.destinationView(handle).overloaded, false);
  },

  "an edit judges anew, and keeps the flag between the marks": (make) => {
    const director = make();
    const handle = withOne(director, 0);
    const edit = (upperThreshold: number, lowerThreshold = 0) => {
      director.editDestination(handle, destination("10.2.0.1:80", { upperThreshold, lowerThreshold }), 0);
      return director.destinationView(handle).overloaded;
    };
    opens(director, 4);
    assert.equal(edit(4), true);
    assert.equal(edit(5, 4), true, "4 is between 4 and 5");
    assert.equal(edit(6), false, "4 is below three quarters of 6");
  },

  "0 switches it off": (make) => {
    const director = make();
    const handle = withOne(director, 1);
    assert.deepEqual(opens(director, 2), [true, false]);
    director.editDestination(handle, destination("10.2.0.1:80"), 0);
    assert.deepEqual(opens(director, 2, 5), [true, true]);
  },
};
