/*
 * A proxy with nothing that makes one: it accepts, connects, passes bytes on, closes. No schedule, no state, no count, no
 * timeout, no limit. What it reaches is what two sockets for each connection leave to any program on this machine, so it
 * says how much of a difference is the program's at all; see docs/bench.md.
 *
 *   bare_loop THREADS MODE PORT SERVER_PORT [MODE PORT SERVER_PORT]
 *
 * MODE is `copy` or `splice`. It listens on 127.0.0.1 and connects to it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* As lvsd's LIMITS: relayBufferBytes, pipeBytes, tcpBacklogConnections. */
enum { BUFFER_BYTES = 65536, PIPE_BYTES = 1 << 20, BACKLOG = 4096, EVENTS = 512, SERVICES = 2 };

struct service {
  bool splices;
  struct sockaddr_in listen, server;
};

/* A socket: of a connection, or of a service that listens. */
struct side {
  int descriptor;
  bool readable, writable, ended;
  struct connection *connection;
  const struct service *listens;
};

/* One direction. */
struct way {
  struct side *from, *to;
  bool done;
  /* What `to` has not taken yet: in `kept`, or in the pipe. */
  size_t bytes, at;
  char *kept;
  int pipe[2];
};

struct connection {
  struct side client, server;
  struct way input, output;
  bool splices, over;
  struct connection *next;
};

static struct service services[SERVICES];
static int service_count;

static _Thread_local int epoll;
static _Thread_local char received[BUFFER_BYTES];
static _Thread_local struct connection *spare, *leaving;

static const int on = 1;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int operation, int descriptor, unsigned events, void *who) {
  struct epoll_event event = {.events = events, .data.ptr = who};
  if (epoll_ctl(epoll, operation, descriptor, &event) < 0) die("epoll_ctl");
}

static void release(struct way *way) {
  if (way->pipe[0] != 0) close(way->pipe[0]), close(way->pipe[1]);
  free(way->kept);
}

static void finish(struct connection *it) {
  it->over = true;
  close(it->client.descriptor);
  close(it->server.descriptor);
  release(&it->input);
  release(&it->output);
  /* Events of this turn may still name it. */
  it->next = leaving;
  leaving = it;
}

static void end_way(struct connection *it, struct way *way) {
  way->done = true;
  if (it->input.done && it->output.done) finish(it);
  else shutdown(way->to->descriptor, SHUT_WR);
}

/* A call that may be made again later leaves the connection as it is; any other failure ends it. */
static void failed(struct connection *it) {
  if (errno != EAGAIN && errno != EINTR) finish(it);
}

static void wait_for_room(struct side *side) {
  side->writable = false;
  watch(EPOLL_CTL_MOD, side->descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, side);
}

static void copy(struct connection *it, struct way *way) {
  struct side *from = way->from, *to = way->to;
  while (!it->over && !way->done) {
    if (way->bytes > 0) {
      ssize_t sent = send(to->descriptor, way->kept + way->at, way->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) { to->writable = false; failed(it); return; }
      way->bytes -= sent, way->at += sent;
      continue;
    }
    if (!from->readable) return;
    ssize_t length = recv(from->descriptor, received, BUFFER_BYTES, MSG_DONTWAIT);
    if (length < 0) { from->readable = false; failed(it); return; }
    if (length == 0) { end_way(it, way); return; }
    bool drained = length < BUFFER_BYTES;
    if (drained) from->readable = false;
    ssize_t sent = send(to->descriptor, received, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) sent = 0;
    if (sent < length) {
      if (way->kept == NULL) way->kept = malloc(BUFFER_BYTES);
      way->bytes = length - sent, way->at = 0;
      memcpy(way->kept, received + sent, way->bytes);
      from->readable = from->readable || from->ended;
      wait_for_room(to);
      return;
    }
    /* The end was seen before this read, which found less than it had room for: nothing comes after. */
    if (drained && from->ended) end_way(it, way);
  }
}

static void splice_on(struct connection *it, struct way *way) {
  struct side *from = way->from, *to = way->to;
  if (way->pipe[0] == 0) {
    if (pipe2(way->pipe, O_NONBLOCK) < 0) die("pipe2");
    fcntl(way->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
  }
  const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  while (!it->over && !way->done) {
    if (way->bytes > 0) {
      ssize_t sent = splice(way->pipe[0], NULL, to->descriptor, NULL, way->bytes, flags);
      if (sent < 0) {
        if (errno == EAGAIN) wait_for_room(to);
        else failed(it);
        return;
      }
      way->bytes -= sent;
      continue;
    }
    if (!from->readable) return;
    ssize_t length = splice(from->descriptor, NULL, way->pipe[1], NULL, PIPE_BYTES, flags);
    if (length < 0) { from->readable = false; failed(it); return; }
    if (length == 0) end_way(it, way);
    else way->bytes = length;
  }
}

static void pump(struct connection *it, struct way *way) {
  if (it->over || way->done || !way->to->writable) return;
  if (it->splices) splice_on(it, way);
  else copy(it, way);
}

static void ready(struct side *side, unsigned happened) {
  struct connection *it = side->connection;
  if (it->over) return;
  if (happened & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->ended = true;
  if (happened & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->readable = true;
  if (happened & EPOLLOUT) side->writable = true;
  bool is_client = side == &it->client;
  pump(it, is_client ? &it->input : &it->output);
  if (happened & EPOLLOUT) pump(it, is_client ? &it->output : &it->input);
}

static struct connection *take(void) {
  struct connection *it = spare;
  if (it == NULL) return calloc(1, sizeof *it);
  spare = it->next;
  memset(it, 0, sizeof *it);
  return it;
}

static void begin(const struct service *service, int client) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (server < 0) die("socket");
  const struct sockaddr_in *address = &service->server;
  if (connect(server, (const struct sockaddr *)address, sizeof *address) < 0 && errno != EINPROGRESS) die("connect");
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *it = take();
  it->splices = service->splices;
  it->client = (struct side){.descriptor = client, .writable = true, .connection = it};
  it->server = (struct side){.descriptor = server, .connection = it};
  it->input.from = it->output.to = &it->client;
  it->input.to = it->output.from = &it->server;
  watch(EPOLL_CTL_ADD, client, EPOLLIN | EPOLLRDHUP | EPOLLET, &it->client);
  watch(EPOLL_CTL_ADD, server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &it->server);
}

static void accept_all(const struct side *listener) {
  for (int client; (client = accept4(listener->descriptor, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    begin(listener->listens, client);
  }
}

static void listen_on(struct side *listener, const struct service *service) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  *listener = (struct side){.descriptor = descriptor, .listens = service};
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(descriptor, (const struct sockaddr *)&service->listen, sizeof service->listen) < 0) die("bind");
  if (listen(descriptor, BACKLOG) < 0) die("listen");
  watch(EPOLL_CTL_ADD, descriptor, EPOLLIN, listener);
}

static void *run(void *unused) {
  struct side listeners[SERVICES];
  struct epoll_event events[EVENTS];
  epoll = epoll_create1(0);
  for (int i = 0; i < service_count; i++) listen_on(&listeners[i], &services[i]);
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      struct side *side = events[i].data.ptr;
      if (side->listens != NULL) accept_all(side);
      else ready(side, events[i].events);
    }
    while (leaving != NULL) {
      struct connection *it = leaving;
      leaving = it->next;
      it->next = spare;
      spare = it;
    }
  }
  return unused;
}

static struct sockaddr_in loopback(const char *port) {
  return (struct sockaddr_in){
    .sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int main(int count, char **words) {
  if (count != 5 && count != 8) {
    fprintf(stderr, "usage: bare_loop THREADS copy|splice PORT SERVER_PORT [copy|splice PORT SERVER_PORT]\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  for (int i = 2; i < count; i += 3) {
    services[service_count++] = (struct service){
      .splices = strcmp(words[i], "splice") == 0, .listen = loopback(words[i + 1]), .server = loopback(words[i + 2])};
  }
  for (int i = 1; i < atoi(words[1]); i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0) die("pthread_create");
  }
  run(NULL);
}
