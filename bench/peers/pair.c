/* A send and a recv of 64 bytes on a Unix stream socketpair, as often as asked: the reference of
 * the pair cell, and the least that a program can do around these two calls. bench/src/pair.rs
 * compiles it (cc -O2) and counts its instructions. Usage: pair COUNT; 0 when all went through. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BYTES = 64 };

int main(int argc, char **argv)
{
    int ends[2];
    char out[BYTES], in[BYTES] = {0};
    long count = argc == 2 ? atol(argv[1]) : 0;

    memset(out, 'x', BYTES);
    if (count < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        return 2;
    while (count-- > 0) {
        if (send(ends[0], out, BYTES, MSG_NOSIGNAL) != BYTES)
            return 1;
        if (recv(ends[1], in, BYTES, 0) != BYTES)
            return 1;
    }
    return memcmp(out, in, BYTES) != 0;
}
