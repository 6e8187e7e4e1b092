/* Asks for decisions over keep-alive connections, each with one request under way, and prints what
 * it saw: answers, seconds, and the 50th and 99th percentile of the time that an answer took.
 *
 * lookups ADDRESS CONNECTIONS SECONDS TENANTS
 *
 * ADDRESS is a port of this machine or the path of a Unix socket: wrk knows no Unix sockets, and
 * what is compared must be asked by the same program. Built by serving_matrix.py: cc -O2 lookups.c
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 16384, LONGEST_US = 1000000 };

struct connection {
    int socket;
    size_t filled;
    uint64_t asked_ns;
    char room[ROOM + 1];
};

static uint32_t took[LONGEST_US]; /* answers by their microseconds */

static void fail(const char *what) {
    fprintf(stderr, "lookups: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int connected(const char *address) {
    int made;
    if (strchr(address, '/')) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        if (strlen(address) >= sizeof to.sun_path) fail("the socket's path is too long");
        strcpy(to.sun_path, address);
        made = socket(AF_UNIX, SOCK_STREAM, 0);
        if (made < 0 || connect(made, (struct sockaddr *)&to, sizeof to)) fail(address);
    } else {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(address))};
        int yes = 1;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        made = socket(AF_INET, SOCK_STREAM, 0);
        if (made < 0 || connect(made, (struct sockaddr *)&to, sizeof to)) fail(address);
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    return made;
}

static void ask(struct connection *one, uint32_t tenants) {
    static uint64_t state = 88172645463325252u; /* xorshift: the same tenants in every run */
    char request[160];
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    int length = snprintf(request, sizeof request,
                          "GET /v1/decisions/ent_%u HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          (uint32_t)(state >> 32) % tenants);
    one->filled = 0;
    one->asked_ns = now_ns();
    if (write(one->socket, request, (size_t)length) != length) fail("write");
}

/* Reads what has come; true once the answer is whole. */
static int answered(struct connection *one) {
    ssize_t got = read(one->socket, one->room + one->filled, ROOM - one->filled);
    if (got <= 0) fail("the server closed the connection");
    one->filled += (size_t)got;
    one->room[one->filled] = 0;
    char *end = strstr(one->room, "\r\n\r\n");
    if (!end) return 0;
    errno = 0;
    if (strncmp(one->room, "HTTP/1.1 200 ", 13)) fail("an answer other than 200");
    char *said = strcasestr(one->room, "\r\ncontent-length:");
    if (!said || said > end) fail("an answer without a content length");
    return one->filled >= (size_t)(end + 4 - one->room) + (size_t)atol(said + 17);
}

static double percentile(uint64_t answers, double share) {
    uint64_t wanted = (uint64_t)((double)answers * share), seen = 0;
    for (int us = 0; us < LONGEST_US; us++)
        if ((seen += took[us]) > wanted) return us + 0.5;
    return LONGEST_US;
}

int main(int count, char **given) {
    if (count != 5) fail("usage: lookups ADDRESS CONNECTIONS SECONDS TENANTS");
    int connections = atoi(given[2]), poll = epoll_create1(0);
    uint32_t tenants = (uint32_t)strtoul(given[4], NULL, 10);
    if (connections < 1 || connections > 1024 || !tenants) fail("1 to 1024 connections, a tenant");
    struct connection *all = calloc((size_t)connections, sizeof *all);
    struct epoll_event ready[1024];
    uint64_t answers = 0, began = now_ns(), now = began;
    uint64_t ends = began + (uint64_t)(atof(given[3]) * 1e9);
    for (int n = 0; n < connections; n++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = &all[n]};
        all[n].socket = connected(given[1]);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[n].socket, &wanted)) fail("epoll_ctl");
        ask(&all[n], tenants);
    }
    while (now < ends) {
        int found = epoll_wait(poll, ready, connections, 1000);
        for (int n = 0; n < found; n++) {
            struct connection *one = ready[n].data.ptr;
            if (!answered(one)) continue;
            now = now_ns();
            uint64_t us = (now - one->asked_ns) / 1000;
            took[us < LONGEST_US ? us : LONGEST_US - 1]++;
            answers++;
            ask(one, tenants);
        }
        now = now_ns();
    }
    printf("%llu %.6f %.1f %.1f\n", (unsigned long long)answers, (double)(now - began) / 1e9,
           percentile(answers, 0.50), percentile(answers, 0.99));
    return 0;
}
