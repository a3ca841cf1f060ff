/**
 * Every limit of lvsd: its name, unit and reason. Memory is bounded by these and by nothing else.
 *
 * @module
 */

export const LIMITS = {
  /** Virtual services in one director. The kernel has no limit; 4,096 keeps the shared store at a few MiB. */
  services: 4_096,
  /** Destinations over all services, those in the trash included. */
  destinations: 65_536,
  /** Connection entries of one worker, ended ones included: 2^18 covers 2,000 new connections/s for the 120 s of TIME_WAIT. */
  connectionEntries: 262_144,
  /** Persistence templates over all services. */
  persistenceTemplates: 65_536,
  /** 32-bit cells for the schedulers of all services: 16 MiB, enough for 4,096 services with sh, 1,000 with mh, 21 with lblc. */
  schedulerCells: 4_194_304,
  /** Wait of the control plane for a lock that a worker holds; a decision takes microseconds. Milliseconds. */
  lockWaitMs: 1_000,

  /** Rules over all chains. The walk is linear, some 40 ns a rule: 4,096 that match nothing cost a new connection 160 µs. */
  rules: 4_096,
  /** Address prefixes over all rules; each costs 36 bytes, and 2 ns for a connection that looks at them. */
  rulePrefixes: 65_536,
  /** Sources that one limit per source remembers; the least recently seen one gives way. 56 bytes each. */
  ruleSourcesOfOne: 65_536,
  /** Sources that all limits per source remember together: 56 MiB. */
  ruleSources: 1_048_576,

  /** Kernel accept queue of one TCP listener; Linux caps it by net.core.somaxconn (4,096). */
  tcpBacklogConnections: 4_096,
  /** Bytes one direction of a TCP connection may hold while the peer is slow, before lvsd stops reading. */
  relayBufferBytes: 65_536,
  /** First read of a quiet socket: fits most requests and answers, and 10,000 idle connections hold 40 MiB of them. */
  relaySmallReadBytes: 2_048,
  /** Free buffers of relayBufferBytes kept for the next connection that reads much: 4 MiB. */
  relaySpareBuffers: 64,
  /** The same of relaySmallReadBytes: 2 MiB. */
  relaySpareSmallBuffers: 1_024,
  /** Threads of the native engine; each has counters of 2.8 MB in the store. */
  workers: 64,
  /** A worker thread that died before this age is started again only after this time, milliseconds; an older one at once. */
  workerRestartMs: 1_000,
  /** Pipe for bulk inside the kernel: fs.pipe-max-size, what Linux gives without privilege. */
  pipeBytes: 1_048_576,
  /** Empty pipes kept for the next stream that proves to be bulk; each has two descriptors. */
  sparePipes: 64,
  /** A stream that moved this much without a pause is bulk: HAProxy's largest buffer several times over. */
  bulkBytes: 262_144,
  /** Live UDP sessions of one service: each holds one descriptor. The least recently used one goes first. */
  udpSessionsPerService: 8_192,
  /** Of the descriptors for connections, the most that UDP sessions may have: one datagram from a made-up address takes one. */
  udpDescriptorsPerMille: 500,
  /** Datagrams of UDP clients that wait in a native worker for the rules, or for a first look at a destination: two bursts. */
  keptDatagramBytes: 4_194_304,
  /** Queues of a native UDP listener in the kernel, which caps them by net.core.rmem_max and wmem_max. */
  udpSocketBufferBytes: 4_194_304,
  /** How long a client's one-packet datagrams may be answered without idleTimeout: 5 s, after which resolvers ask again. */
  onePacketReplyMs: 5_000,
  /** Largest UDP payload over IPv4: 65,535 - 20 (IP) - 8 (UDP). */
  udpPayloadBytes: 65_507,
  /** Largest PROXY header accepted: v2 has a 16-bit length, real ones stay far below; v1 is 107 by specification. */
  proxyHeaderBytes: 4_096,
  /** Wait for a PROXY header that was promised, milliseconds; HAProxy's usual `timeout client-hs` scale. */
  proxyHeaderWaitMs: 3_000,
  /** At most one message of the same kind about a service in this time, milliseconds. */
  troubleSpacingMs: 1_000,
  /** Accepted connections of one service that wait for `maxConnections`, where accept itself cannot wait. */
  heldConnections: 1_024,
  /**
   * Connects of the portable engine that are begun before it looks for answers. The runtime hears of 128 things in one turn
   * of its loop (tokio's budget); 64 connects take 10 ms, and 200 ms where the processor has 20 others to serve.
   */
  freshConnects: 64,
  /** After this time, milliseconds, a server is taken for a slow one, for which others no longer wait. */
  freshConnectMs: 10,
  /**
   * Sockets that read, in the portable engine, until accepts and connects get a turn to themselves, for which each is stopped and
   * started: forty times a second at full load while others wait for it, two or three times while none do.
   */
  readersUntilBreak: 2_048,
  readersUntilBreakMost: 32_768,
  /** Clients' addresses whose text the portable engine has read already: reading costs 1.5 µs, and each some 200 bytes. */
  readAddresses: 1_024,
  /**
   * File descriptors that stay free of client traffic, a thousandth of all each: for files, admin, checks, and for a burst
   * of accepts. At least for the program itself, at most for one full backlog.
   */
  spareDescriptorsPerMille: 125,
  spareDescriptorsLeast: 16,
  spareDescriptorsMost: 5_462,
  /** Pause of accept after the process ran out of descriptors, milliseconds. */
  acceptBackOffMs: 100,

  /** Size of a config file. A real one has kilobytes; 8 MiB stops a mistaken path such as a log file. */
  configFileBytes: 8 * 1_024 * 1_024,
  /** Words and marks of a config file: 65,536 destinations of three keys have 1.4 million. Two million cost 8 s and 650 MB. */
  configLexemes: 2_000_000,
  /** A traffic script or flight record: 32,768 rows of one thread have some 4 MB. */
  scriptFileBytes: 64 * 1_024 * 1_024,
  /** Nesting of a config file; a real one has 7 levels. Beyond some 800 the YAML parser runs out of stack. */
  configDepth: 32,
  /** Values that aliases (`*name`) and merges (`<<`) may repeat: stops a file of one screen that unfolds to gigabytes. */
  configAliasValues: 250_000,
  /** Mistakes that are reported of one config; more are counted. */
  configMistakes: 200,
  /** Path of a Unix socket: `sun_path` has 108 bytes on Linux and 104 elsewhere, the final zero included. */
  socketPathBytes: 103,
  /** Longest delay of a timer, milliseconds: 24 days, just under the 2^31-1 ms after which setTimeout fires at once. */
  timerMs: 24 * 86_400_000,
  /** Bytes of a health check's answer that are read and searched. */
  healthAnswerBytes: 65_536,
  /** Header bytes of a health check's HTTP answer, status line included; nginx and Apache send at most 8 KiB by default. */
  healthHeaderBytes: 16_384,
  /** Past health changes kept for each destination. */
  healthHistoryEntries: 32,
  /** Health checks running at once: each holds a descriptor or a process, and `ulimit -n` is 1,024 by default. */
  healthChecksAtOnce: 256,
  /** Distance of first checks that are due together, milliseconds: 1,000 destinations are spread over 2 s, three over 6 ms. */
  healthStartSpacingMs: 2,
  /** Random share by which an interval between checks is shortened, percent. */
  healthJitterPercent: 10,
  /** From SIGTERM to SIGKILL for a command that overstays its time-out, milliseconds; keepalived waits as long. */
  healthKillGraceMs: 2_000,
  /** Wait for the rest of a command's output after it ended, milliseconds: a child it left behind may hold the pipe open. */
  healthOutputGraceMs: 100,
  /** An ejection lasts at most this many times its first duration; Envoy's 300 s to 30 s. */
  healthEjectionFactor: 10,
  /** How long a name is believed that only the hosts file knows, milliseconds. */
  hostsFileTtlMs: 30_000,
  /** Names are asked for again at most this often, whatever time to live the answer had, milliseconds. */
  nameTtlFloorMs: 1_000,
  /** And at least this often, milliseconds: a forgotten day-long record must not outlive a move by a day. */
  nameTtlCeilingMs: 300_000,
  /** Pause after a failed look-up, milliseconds. */
  nameRetryMs: 2_000,
  /** A problem that stays the same is written to the log again after this time. */
  sameComplaintMs: 60_000,
  /** Pause before an address that could not be bound is tried again, milliseconds. */
  bindRetryMs: 2_000,
  /** Quiet time after the last change of a watched file before it is read, milliseconds: editors write in several steps. */
  watchQuietMs: 100,
  /** Things that the flight recorder remembers of one thread's traffic: 2.7 MiB, a minute at 100 connections/s of 5 segments. */
  flightRows: 32_768,
  /** Changes of services and destinations that it remembers one by one; older ones are folded into the state it begins with. */
  flightChanges: 4_096,
  /** Of one connection's payload it keeps one segment in this time, milliseconds. */
  flightPayloadMs: 1_000,
  /** How often the director's slow timers run, milliseconds; the kernel's are exact to 4 ms, its shortest time-out is 2 s. */
  directorTickMs: 100,

  /** UDP clients of one tunnel peer: a descriptor and 64 KiB each; the least recently used one goes first. */
  tunnelSessions: 1_024,
  /** A UDP client of a tunnel peer that is quiet for so long goes, milliseconds: IPVS's own time-out of UDP. */
  tunnelIdleMs: 300_000,
  /** One message between director and receiver about a socket that is handed over: a line with two addresses. */
  handOverBytes: 512,
  /** A receiver tells how much its clients sent at most this often, milliseconds; it keeps the director's entry alive. */
  handOverReportMs: 5_000,
  /** The doctor's wait for a name or for a real server to answer a connect, milliseconds. */
  doctorWaitMs: 1_000,

  /** Size of the file of --state: 65,536 destinations with thresholds and tunnels have 10 MB. */
  stateFileBytes: 32 * 1_024 * 1_024,
  /** Wait of an ipvsadm command for the name of one address, milliseconds; the C library waits 5 s for each server. */
  toolLookUpWaitMs: 1_000,
  /** Addresses that one ipvsadm command asks the resolver about; more are printed as numbers. */
  toolLookUps: 1_024,

  /** Body of one request to the admin API. */
  adminBodyBytes: 1_024 * 1_024,
  /** The same over the control socket, whose users are trusted: `ipvsadm -R` of 65,536 destinations has 6 MB. */
  controlBodyBytes: 16 * 1_024 * 1_024,
  /** Connections to the control socket: scripts run many commands at once, and each command is one connection. */
  controlConnections: 512,
  /** Connections to one admin listener; the oldest without a request gives way. Monitoring needs two or three. */
  adminConnections: 64,
  /** From a connect to the admin API to the last byte of the request, milliseconds: a LAN needs a few. */
  adminRequestWaitMs: 5_000,
  /** For taking the answer, milliseconds: 50 MiB of status over 20 Mbit/s. */
  adminAnswerTakeMs: 20_000,
  /** How long a request under way may hold up the closing of an admin listener, milliseconds. */
  adminCloseMs: 2_000,
  /** Wait of a command for the daemon's answer, milliseconds; a reload may look up names. */
  adminAnswerWaitMs: 30_000,
  /** What each line of `ipvsadm -R` adds to that, milliseconds: measured are 1 to 2. */
  restoredLineWaitMs: 20,
  /** Answer that a command reads from the daemon: the status of 65,536 destinations has about 50 MiB. */
  adminAnswerBytes: 128 * 1_024 * 1_024,
  /** Clients whose ICMP errors are counted; the one not heard of for longest is forgotten. */
  icmpPeers: 16_384,
  /** Longest wait of a packet worker before it looks at its mailbox and its timers, milliseconds. */
  packetPollMs: 20,
  /** Packets that LOG rules may write in one turn of a packet worker: 100 lines a second, whatever comes. */
  packetLogsPerTurn: 2,
  /** Ring for received frames of one interface: 4,096 of up to 1,500 bytes, 5 ms of 10 Gbit/s. */
  packetRingBytes: 8 * 1_024 * 1_024,
  /** Larger frames of one interface that wait: some 300 super-packets, of which each takes up to 100 KiB in the kernel. */
  packetQueueBytes: 32 * 1_024 * 1_024,
  /** Frames that go to the system in one call: a super-packet of 64 KiB in segments of 1,400 bytes. */
  packetSendFrames: 64,
  /** Destinations whose path MTU is remembered; the oldest is forgotten. */
  pathMtus: 4_096,
  /** Neighbours whose Ethernet address is known or asked for; the kernel keeps 1,024 (`gc_thresh3`). */
  neighbours: 1_024,
  /** Packets that wait for one neighbour's address: the kernel keeps some 100 (`unres_qlen`). */
  neighbourQueuePackets: 101,
  /** Fragments of datagrams that are not whole, bytes: the kernel's `ipfrag_high_thresh`. */
  fragmentBytes: 4 * 1_024 * 1_024,
  /** Fragments of one datagram: 64 KiB in pieces of 8 bytes would take a search through 8,191 for each. */
  fragmentsPerDatagram: 512,
  /** Log records waiting for a slow reader of the log; more are dropped and counted. */
  logQueueRecords: 8_192,
} as const;
