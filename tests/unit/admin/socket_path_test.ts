/**
 * Where the control socket is looked for, for every kind of user and system.
 */
import assert from "node:assert/strict";
import { controlSocketPlace, type SocketSurroundings, systemSocketPath } from "../../../admin/socket_path.ts";

function surroundings(
  over: Partial<SocketSurroundings>,
  variables: Record<string, string> = {},
): SocketSurroundings {
  return { os: "linux", uid: 1000, variable: (name) => variables[name], tempDirectory: "/tmp", ...over };
}

const XDG = { XDG_RUNTIME_DIR: "/run/user/1000" };

const CASES: readonly (readonly [
  what: string,
  from: SocketSurroundings,
  path: string | undefined,
  sharedParent: boolean,
])[] = [
  ["LVSD_SOCKET wins", surroundings({ uid: 0 }, { ...XDG, LVSD_SOCKET: "/a/b" }), "/a/b", false],
  [
    "an empty LVSD_SOCKET counts as none",
    surroundings({ uid: 0 }, { LVSD_SOCKET: "" }),
    "/run/lvsd/control.sock",
    false,
  ],
  ["root", surroundings({ uid: 0 }), "/run/lvsd/control.sock", false],
  [
    "root does not use a user's runtime directory",
    surroundings({ uid: 0 }, XDG),
    "/run/lvsd/control.sock",
    false,
  ],
  ["root on macOS", surroundings({ os: "darwin", uid: 0 }), "/var/run/lvsd/control.sock", false],
  ["a user with a runtime directory", surroundings({}, XDG), "/run/user/1000/lvsd/control.sock", false],
  [
    "a relative runtime directory is ignored",
    surroundings({}, { XDG_RUNTIME_DIR: "run" }),
    "/tmp/lvsd-1000/control.sock",
    true,
  ],
  ["a user without one", surroundings({}), "/tmp/lvsd-1000/control.sock", true],
  ["Windows", surroundings({ os: "windows", uid: null }), undefined, false],
];

for (const [what, from, path, sharedParent] of CASES) {
  Deno.test(`control socket path: ${what}`, () => {
    assert.deepEqual(controlSocketPlace(from), path === undefined ? undefined : { path, sharedParent });
  });
}

Deno.test("control socket path: the system's own is what root gets", () => {
  assert.equal(systemSocketPath("linux"), controlSocketPlace(surroundings({ uid: 0 }))?.path);
});
