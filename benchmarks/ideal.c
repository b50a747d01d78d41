/* The limit: accept, answer the upgrade, forkpty, relay. What a server that does nothing else can reach.
 *
 *     cc -O2 -o ideal ideal.c -lutil && ./ideal PORT PROGRAM [ARGUMENT ...]
 *
 * One process for each connection; within it epoll, a pty that is read until it is empty or READ_MOST bytes are there, one frame for
 * each such turn, and a send that waits. It checks nothing and promises nothing.
 *
 * -DPIECE=1024: ask the pty for so many bytes at a time, so that the kernel fills it while we read. -DPAUSE=100: for each 64 kB
 * do something else for so many microseconds, as a server does that is more than a relay.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PIECE
#define PIECE READ_MOST
#endif
#ifndef PAUSE
#define PAUSE 0
#endif

enum {
    READ_MOST = 65536, /* bytes of one frame of output: the best of 4, 16, 64 and 256 kB */
    SMALL = 1024,      /* bytes: a shorter read is a key's echo and goes out at once */
    HEAD = 10,         /* bytes: the longest head of an unmasked frame */
};

static void send_all(int client, const unsigned char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            _exit(0);
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void shake_hands(int client)
{
    static const char answer[] = "HTTP/1.1 101 -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    char request[8192];
    size_t size = 0;
    do {
        ssize_t count = recv(client, request + size, sizeof request - 1 - size, 0);
        if (count <= 0)
            _exit(0);
        size += (size_t)count;
        request[size] = 0;
    } while (!strstr(request, "\r\n\r\n"));
    send_all(client, (const unsigned char *)answer, sizeof answer - 1);
}

/* Unmask whole frames of input in place and write them to the pty. Returns how many bytes are left over. */
static size_t take_input(int terminal, unsigned char *input, size_t size)
{
    size_t at = 0;
    while (size - at >= 6) {
        unsigned char *frame = input + at;
        size_t length = frame[1] & 127, head = 2;
        if (length == 126) {
            length = (size_t)frame[2] << 8 | frame[3];
            head = 4;
        }
        if (size - at < head + 4 + length)
            break;
        unsigned char *mask = frame + head, *payload = mask + 4;
        for (size_t i = 0; i < length; i++)
            payload[i] ^= mask[i & 3];
        for (size_t done = 0; (frame[0] & 15) < 8 && done < length;) {
            ssize_t count = write(terminal, payload + done, length - done);
            if (count < 0 && errno != EAGAIN)
                _exit(0);
            done += count > 0 ? (size_t)count : 0;
        }
        at += head + 4 + length;
    }
    memmove(input, input + at, size - at);
    return size - at;
}

static long nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* Read what there is, up to READ_MOST, and send it in one frame. Returns 0 at the end of the terminal. */
static int give_output(int terminal, int client, unsigned char *buffer)
{
    unsigned char *payload = buffer + HEAD, *start;
    size_t size = 0;
    ssize_t count;
    do {
        size_t room = READ_MOST - size;
        count = read(terminal, payload + size, room < PIECE ? room : PIECE);
        if (count > 0)
            size += (size_t)count;
    } while (count >= (PIECE < READ_MOST ? 1 : SMALL) && size < READ_MOST);
    if (size) {
        if (size < 126) {
            start = payload - 2;
            start[1] = (unsigned char)size;
        } else if (size < 65536) {
            start = payload - 4;
            start[1] = 126;
            start[2] = (unsigned char)(size >> 8);
            start[3] = (unsigned char)size;
        } else {
            start = payload - 10;
            start[1] = 127;
            for (int i = 0; i < 8; i++)
                start[2 + i] = (unsigned char)((uint64_t)size >> (56 - 8 * i));
        }
        start[0] = 0x82;
        send_all(client, start, size + (size_t)(payload - start));
        for (long end = nanoseconds() + PAUSE * 1000L * (long)size / READ_MOST; PAUSE && nanoseconds() < end;)
            ;
    }
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static void session(int client, char **program)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    unsigned char *buffer = malloc(HEAD + READ_MOST), *input = malloc(2 * READ_MOST);
    size_t waiting = 0;
    int terminal, poll = epoll_create1(EPOLL_CLOEXEC);
    shake_hands(client);
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    if (!child) {
        execvp(program[0], program);
        _exit(127);
    }
    fcntl(terminal, F_SETFL, O_NONBLOCK);
    epoll_ctl(poll, EPOLL_CTL_ADD, terminal, &(struct epoll_event){.events = EPOLLIN, .data.fd = terminal});
    epoll_ctl(poll, EPOLL_CTL_ADD, client, &(struct epoll_event){.events = EPOLLIN, .data.fd = client});
    for (;;) {
        struct epoll_event ready[2];
        int count = epoll_wait(poll, ready, 2, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == terminal) {
                if (!give_output(terminal, client, buffer))
                    _exit(0);
                continue;
            }
            ssize_t got = recv(client, input + waiting, 2 * READ_MOST - waiting, 0);
            if (got <= 0) {
                kill(-child, SIGHUP);
                _exit(0);
            }
            waiting = take_input(terminal, input, waiting + (size_t)got);
        }
    }
}

int main(int count, char **arguments)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (count < 3)
        return 2;
    struct sockaddr_in address = {AF_INET, htons((uint16_t)atoi(arguments[1])), {htonl(INADDR_LOOPBACK)}, {0}};
    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        return 1;
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!fork()) {
            close(listener);
            signal(SIGCHLD, SIG_DFL);
            session(client, arguments + 2);
        }
        close(client);
    }
}
