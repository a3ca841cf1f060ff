/** Examples of the manual page of ipvsadm 1.31 and of the LVS HOWTO, as their readers type them. */
import assert from "node:assert/strict";
import { ToolBench } from "./rule_sets.ts";

interface Example {
  readonly what: string;
  /** Commands; those of one text are fed to `-R`. */
  readonly commands: string;
  /** `-S -n` afterwards. */
  readonly saved: string;
}

const FIVE_MASQUERADED = `-A -t 207.175.44.110:80 -s rr
-a -t 207.175.44.110:80 -r 192.168.10.1:80 -m -w 1
-a -t 207.175.44.110:80 -r 192.168.10.2:80 -m -w 1
-a -t 207.175.44.110:80 -r 192.168.10.3:80 -m -w 1
-a -t 207.175.44.110:80 -r 192.168.10.4:80 -m -w 1
-a -t 207.175.44.110:80 -r 192.168.10.5:80 -m -w 1
`;

const EXAMPLES: readonly Example[] = [
  {
    what: "manual, example 1: simple virtual service",
    commands: `ipvsadm -A -t 207.175.44.110:80 -s rr
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.1:80 -m
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.2:80 -m
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.3:80 -m
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.4:80 -m
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.5:80 -m`,
    saved: FIVE_MASQUERADED,
  },
  {
    what: "manual, example 1 by -R, a blank line before and after",
    commands: `
-A -t 207.175.44.110:80 -s rr
-a -t 207.175.44.110:80 -r 192.168.10.1:80 -m
-a -t 207.175.44.110:80 -r 192.168.10.2:80 -m
-a -t 207.175.44.110:80 -r 192.168.10.3:80 -m
-a -t 207.175.44.110:80 -r 192.168.10.4:80 -m
-a -t 207.175.44.110:80 -r 192.168.10.5:80 -m
`,
    saved: FIVE_MASQUERADED,
  },
  {
    what: "manual, example 2: firewall mark",
    commands: `ipvsadm -A -f 1  -s rr
ipvsadm -a -f 1 -r 192.168.10.1:0 -m
ipvsadm -a -f 1 -r 192.168.10.2:0 -m`,
    saved: `-A -f 1 -s rr
-a -f 1 -r 192.168.10.1:0 -m -w 1
-a -f 1 -r 192.168.10.2:0 -m -w 1
`,
  },
  {
    what: "manual, example 3: GUE tunnels",
    commands: `ipvsadm -A -t 207.175.44.110:80 -s rr
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.1:80 -i --tun-type gue --tun-port 6080 --tun-nocsum
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.2:80 -i --tun-type gue --tun-port 6080 --tun-csum
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.3:80 -i --tun-type gue --tun-port 6080 --tun-remcsum
ipvsadm -a -t 207.175.44.110:80 -r 192.168.10.4:80 -i --tun-type gue --tun-port 6078`,
    saved: `-A -t 207.175.44.110:80 -s rr
-a -t 207.175.44.110:80 -r 192.168.10.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 207.175.44.110:80 -r 192.168.10.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 207.175.44.110:80 -r 192.168.10.3:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 207.175.44.110:80 -r 192.168.10.4:80 -i -w 1 --tun-type gue --tun-port 6078 --tun-nocsum
`,
  },
  {
    what: "manual, example 4: GRE tunnel",
    commands: `ipvsadm -A -t 10.0.0.1:80 -s rr
ipvsadm -a -t 10.0.0.1:80 -r 192.168.11.1:80 -i --tun-type gre --tun-csum`,
    saved: `-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 192.168.11.1:80 -i -w 1 --tun-type gre --tun-csum
`,
  },
  {
    what: "manual, IPv6",
    commands: `ipvsadm -A -t [2001:db8::80]:80 -s rr
ipvsadm -a -t [2001:db8::80]:80 -r [2001:db8::a0a0]:80 -m`,
    saved: `-A -t [2001:db8::80]:80 -s rr
-a -t [2001:db8::80]:80 -r [2001:db8::a0a0]:80 -m -w 1
`,
  },
  {
    what: "HOWTO, LVS-DR: telnet and http, weights",
    commands: `ipvsadm -C
ipvsadm -A -t 192.168.1.110:23 -s rr
ipvsadm -a -t 192.168.1.110:23 -r 192.168.1.11 -g -w 1
ipvsadm -A -t 192.168.1.110:http -s rr
ipvsadm -a -t 192.168.1.110:http -r rs1 -g -w 1`,
    saved: `-A -t 192.168.1.110:23 -s rr
-a -t 192.168.1.110:23 -r 192.168.1.11:23 -g -w 1
-A -t 192.168.1.110:80 -s rr
-a -t 192.168.1.110:80 -r 10.2.0.1:80 -g -w 1
`,
  },
  {
    what: "HOWTO, LVS-Tun with short options run together",
    commands: `ipvsadm -At 192.168.1.110:80 -swlc
ipvsadm -at 192.168.1.110:80 -r 10.1.1.2 -iw2
ipvsadm -at 192.168.1.110:80 -r 10.1.1.3 -i -w 3`,
    saved: `-A -t 192.168.1.110:80 -s wlc
-a -t 192.168.1.110:80 -r 10.1.1.2:80 -i -w 2 --tun-type ipip
-a -t 192.168.1.110:80 -r 10.1.1.3:80 -i -w 3 --tun-type ipip
`,
  },
  {
    what: "HOWTO, persistence: all ports of an address, a /24 of clients",
    commands: `ipvsadm -A -t 192.168.1.110:0 -s rr -p 540 -M 255.255.255.0
ipvsadm -a -t 192.168.1.110:0 -r 192.168.1.11 -g`,
    saved: `-A -t 192.168.1.110:0 -s rr -p 540 -M 255.255.255.0
-a -t 192.168.1.110:0 -r 192.168.1.11:0 -g -w 1
`,
  },
  {
    what: "HOWTO, quiescing a real server, then taking it out",
    commands: `ipvsadm -A -t 192.168.1.110:80 -s wlc
ipvsadm -a -t 192.168.1.110:80 -r 10.1.1.2:8080 -m -w 10
ipvsadm -a -t 192.168.1.110:80 -r 10.1.1.3:8080 -m -w 10
ipvsadm -e -t 192.168.1.110:80 -r 10.1.1.2:8080 -m -w 0
ipvsadm -d -t 192.168.1.110:80 -r 10.1.1.3:8080`,
    saved: `-A -t 192.168.1.110:80 -s wlc
-a -t 192.168.1.110:80 -r 10.1.1.2:8080 -m -w 0
`,
  },
];

for (const { what, commands, saved } of EXAMPLES) {
  Deno.test(`${what}`, async () => {
    const tool = new ToolBench();
    const isRestore = !commands.startsWith("ipvsadm");
    if (isRestore) assert.deepEqual(await tool.run("-R", commands), { code: 0, stdout: "", stderr: "" });
    else {
      for (const line of commands.split("\n")) {
        const answer = await tool.run(line.replace(/^ipvsadm /, ""));
        assert.deepEqual(answer, { code: 0, stdout: "", stderr: "" }, line);
      }
    }
    assert.equal((await tool.run("-S -n")).stdout, saved);
  });
}
