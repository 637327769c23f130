/* A name server under a test's control, by LD_PRELOAD: the names of SLOW_NAMES=name=address,… are answered here and nowhere else (no address: not found). Each
 * look-up leaves a line in the file SLOW_NAMES_ASKED, and waits while the file SLOW_NAMES_HOLD exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *entry = node == NULL ? NULL : strstr(getenv("SLOW_NAMES"), node);
    if (entry == NULL || entry[strlen(node)] != '=') return real(node, service, hints, found);
    FILE *asked = fopen(getenv("SLOW_NAMES_ASKED"), "a");
    fprintf(asked, "%s\n", node);
    fclose(asked);
    while (access(getenv("SLOW_NAMES_HOLD"), F_OK) == 0) usleep(1000);
    char address[64] = "";
    if (sscanf(entry + strlen(node) + 1, "%63[^,]", address) != 1) return EAI_NONAME;
    return real(address, service, hints, found);
}
